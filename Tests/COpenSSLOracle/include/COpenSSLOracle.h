#pragma once
#include <stddef.h>
#include <stdint.h>

/// What OpenSSL's server makes of the first bytes of a connection. It is the judge of the parser's tests: the
/// name that the router finds must be the name that a real TLS server finds.

/// How far OpenSSL came.
enum {
    /// It waits for more bytes.
    OPENSSL_ORACLE_NEED_MORE = 0,
    /// It parsed the hello and saw a name.
    OPENSSL_ORACLE_NAME = 1,
    /// It parsed the hello and saw no name.
    OPENSSL_ORACLE_NO_NAME = 2,
    /// It refused the bytes before it came to the name.
    OPENSSL_ORACLE_REFUSED = 3,
};

typedef struct {
    /// One of the numbers above.
    int outcome;
    /// True when the hello was split into its fields, whatever came then.
    int saw_fields;
    /// Why it refused: OpenSSL's reason code (SSL_R_...), else 0.
    int reason;
    /// Length of `name` in bytes; OpenSSL refuses longer ones than 255.
    size_t name_count;
    /// The name as OpenSSL keeps it: upper case and dot at the end not touched.
    uint8_t name[256];
} openssl_oracle_answer;

/// A server context with a throw-away key; NULL when it could not be made. Never freed: one serves the whole
/// test run.
void *openssl_oracle_make(void);

/// Feeds `count` bytes to a fresh connection of the context and says what OpenSSL made of them.
openssl_oracle_answer openssl_oracle_ask(void *context, const uint8_t *bytes, size_t count);

/// OpenSSL's words for a reason code; a static string.
const char *openssl_oracle_reason(int reason);

/// Version string of the OpenSSL library the tests compare against.
const char *openssl_oracle_version(void);
