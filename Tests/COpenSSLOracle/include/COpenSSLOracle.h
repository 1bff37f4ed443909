#pragma once
/// Version string of the OpenSSL library the tests compare against.
const char *openssl_oracle_version(void);
