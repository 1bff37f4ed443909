#include "COpenSSLOracle.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

const char *openssl_oracle_version(void) { return OpenSSL_version(OPENSSL_VERSION); }

const char *openssl_oracle_reason(int reason) {
    const char *words = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
    return words ? words : "no reason given";
}

/// Called when OpenSSL has split the hello into its fields and before it looks into the extensions.
static int saw_fields(SSL *ssl, int *alert, void *argument) {
    (void)alert, (void)argument;
    ((openssl_oracle_answer *)SSL_get_app_data(ssl))->saw_fields = 1;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/// Called after all extensions were parsed, with or without a name. The answer stops the handshake: the key
/// exchange would take most of the time and tell nothing more.
static int saw_name(SSL *ssl, int *alert, void *argument) {
    (void)argument;
    openssl_oracle_answer *answer = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    answer->outcome = name ? OPENSSL_ORACLE_NAME : OPENSSL_ORACLE_NO_NAME;
    if (name) {
        answer->name_count = strnlen(name, sizeof answer->name);
        memcpy(answer->name, name, answer->name_count);
    }
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// A self-signed certificate in memory, so that OpenSSL finds what it needs to go on to the name.
static int use_throw_away_key(SSL_CTX *context) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int done = key && certificate && X509_set_version(certificate, X509_VERSION_3)
        && ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1)
        && X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
        && X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600)
        && X509_set_pubkey(certificate, key) && X509_sign(certificate, key, EVP_sha256())
        && SSL_CTX_use_certificate(context, certificate) && SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return done;
}

void *openssl_oracle_make(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return NULL;
    // As liberal as OpenSSL can be: what is refused then is refused for the form of the hello, not for its
    // taste.
    SSL_CTX_set_security_level(context, 0);
    if (!use_throw_away_key(context) || !SSL_CTX_set_min_proto_version(context, TLS1_VERSION)
        || !SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0")) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_client_hello_cb(context, saw_fields, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, saw_name);
    return context;
}

openssl_oracle_answer openssl_oracle_ask(void *context, const uint8_t *bytes, size_t count) {
    openssl_oracle_answer answer = {.outcome = OPENSSL_ORACLE_REFUSED};
    SSL *ssl = SSL_new(context);
    BIO *input = BIO_new_mem_buf(bytes, (int)count);
    BIO *output = BIO_new(BIO_s_mem());
    // The end of the bytes is a pause, not the end of the connection.
    BIO_set_mem_eof_return(input, -1);
    SSL_set_bio(ssl, input, output);
    SSL_set_app_data(ssl, &answer);
    ERR_clear_error();
    int result = SSL_accept(ssl);
    if (answer.outcome == OPENSSL_ORACLE_REFUSED) {
        if (result == -1 && SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) {
            answer.outcome = OPENSSL_ORACLE_NEED_MORE;
        } else {
            answer.reason = ERR_GET_REASON(ERR_peek_last_error());
        }
    }
    SSL_free(ssl);
    return answer;
}
