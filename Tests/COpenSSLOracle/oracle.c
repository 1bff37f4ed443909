#include "COpenSSLOracle.h"
#include <openssl/crypto.h>
const char *openssl_oracle_version(void) { return OpenSSL_version(OPENSSL_VERSION); }
