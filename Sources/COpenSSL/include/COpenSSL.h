#ifndef KV_COPENSSL_H
#define KV_COPENSSL_H

// The parts of the system's libssl and libcrypto that the targets TLS and Merkle use, functions for their macros, a BIO
// that reads and writes memory lent by the caller, and SHA-256.

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdint.h>

/// The memory that a lent BIO reads and writes. The caller sets `input` and `output` for the length of one call into
/// libssl and clears them after it; `spill` belongs to the BIO.
typedef struct kv_lent_io {
  /// Ciphertext that arrived and was not yet taken.
  const uint8_t *input;
  size_t input_count;
  /// Room for ciphertext to send, and how much of it is filled.
  uint8_t *output;
  size_t output_capacity;
  size_t output_count;
  /// Ciphertext to send that found no room in `output`; while there is any, all output goes here, in order.
  uint8_t *spill;
  size_t spill_count;
  size_t spill_capacity;
} kv_lent_io;

/// A new BIO over lent memory, or NULL where memory is short.
BIO *kv_lent_bio_new(void);

/// The lent memory of such a BIO; it lives as long as the BIO.
kv_lent_io *kv_lent_bio_io(BIO *bio);

/// Moves up to `capacity` bytes of the spill to `into`; gives their number. An emptied large spill is freed.
size_t kv_lent_spill_take(kv_lent_io *io, uint8_t *into, size_t capacity);

/// SHA-256 of a message that comes in parts.
typedef SHA256_CTX kv_sha256;

/// Begins a message.
void kv_sha256_begin(kv_sha256 *hash);

/// Adds bytes to the message.
void kv_sha256_add(kv_sha256 *hash, const void *bytes, size_t count);

/// Ends the message, and writes its digest, 32 bytes.
void kv_sha256_finish(kv_sha256 *hash, uint8_t *digest);

/// Speaks one version only.
static inline int kv_ssl_ctx_set_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version) == 1 && SSL_CTX_set_max_proto_version(context, version) == 1;
}
/// What all contexts share: writes may go on from another address, whole inputs are read ahead, no session cache (the
/// server's tickets hold the sessions), no certificates beside those set, no records for old middleboxes.
static inline void kv_ssl_ctx_configure(SSL_CTX *context) {
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
}
static inline int kv_ssl_ctx_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
static inline int kv_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
  return (int)SSL_CTX_set1_groups_list(context, groups);
}
static inline int kv_ssl_ctx_set_sigalgs(SSL_CTX *context, const char *algorithms) {
  return (int)SSL_CTX_set1_sigalgs_list(context, algorithms);
}
static inline int kv_ssl_new_ex_index(void) { return SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

static inline int kv_gcm_set_tag(EVP_CIPHER_CTX *context, int count, void *tag) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, count, tag);
}
static inline int kv_gcm_get_tag(EVP_CIPHER_CTX *context, int count, void *tag) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, count, tag);
}

/// Adds an extension given in OpenSSL's text form. `issuer` gives the authority key identifier.
static inline int kv_x509_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  if (extension == NULL) return 0;
  int result = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return result;
}

static inline void kv_free(void *memory) { OPENSSL_free(memory); }
static inline EVP_PKEY *kv_p256_generate(void) { return EVP_EC_gen("P-256"); }

static inline int kv_general_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline GENERAL_NAME *kv_general_names_at(const GENERAL_NAMES *names, int index) {
  return sk_GENERAL_NAME_value(names, index);
}
static inline GENERAL_NAMES *kv_general_names_new(void) { return sk_GENERAL_NAME_new_null(); }
static inline int kv_general_names_push(GENERAL_NAMES *names, GENERAL_NAME *name) {
  return sk_GENERAL_NAME_push(names, name);
}
/// The URI of a name, or NULL where it is a name of another kind.
static inline const ASN1_STRING *kv_general_name_uri(const GENERAL_NAME *name) {
  return name->type == GEN_URI ? name->d.uniformResourceIdentifier : NULL;
}

static inline int kv_certificates_count(const STACK_OF(X509) *list) { return sk_X509_num(list); }
static inline X509 *kv_certificates_at(const STACK_OF(X509) *list, int index) { return sk_X509_value(list, index); }
static inline STACK_OF(X509) *kv_certificates_new(void) { return sk_X509_new_null(); }
static inline int kv_certificates_push(STACK_OF(X509) *list, X509 *certificate) {
  return sk_X509_push(list, certificate);
}
/// Frees the list, not the certificates in it.
static inline void kv_certificates_free(STACK_OF(X509) *list) { sk_X509_free(list); }

#endif
