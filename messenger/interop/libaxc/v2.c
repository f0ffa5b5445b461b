/* A foreign peer for protocol version 2: Debian's libsignal-protocol-c, which starts sessions of version 3 only but still reads, writes and
 * ratchets those of version 2. So the three key agreements of 3DH are put together here, out of the library's own calls, where its
 * session builder used to do it; everything after that, and all parsing, is the library's. libaxc provides its cryptography.
 *
 * Usage: v2 DATABASE. A line is a request of words, byte strings in hexadecimal; the answer is "ok" with words, or "error" and a number.
 *   start IDENTITY PREKEYID PREKEY -> ok
 *   encrypt TEXT                   -> ok MESSAGE
 *   decrypt MESSAGE                -> ok TEXT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <axc.h>
#include <curve.h>
#include <hkdf.h>
#include <protocol.h>
#include <ratchet.h>
#include <session_cipher.h>
#include <session_record.h>
#include <session_state.h>
#include <signal_protocol.h>

#define VERSION 2
#define NO_SIGNED_PREKEY 0xFFFFFFFF

static signal_context *global;
static signal_protocol_store_context *store;
static ec_key_pair *identity;
static signal_buffer *kept; /* the one session record */
static const signal_protocol_address peer = {"peer", 4, 1};

static int load_session(signal_buffer **record, signal_buffer **user, const signal_protocol_address *a, void *data) {
	(void)user, (void)a, (void)data;
	if (!kept)
		return 0;
	*record = signal_buffer_copy(kept);
	return 1;
}

static int store_session(const signal_protocol_address *a, uint8_t *record, size_t n, uint8_t *user, size_t user_n, void *data) {
	(void)a, (void)user, (void)user_n, (void)data;
	signal_buffer_free(kept);
	kept = signal_buffer_create(record, n);
	return kept ? 0 : -1;
}

static int contains_session(const signal_protocol_address *a, void *data) {
	(void)a, (void)data;
	return kept != NULL;
}

static uint8_t *unhex(const char *s, size_t *n) {
	*n = strlen(s) / 2;
	uint8_t *b = malloc(*n + 1);
	for (size_t i = 0; i < *n; i++) {
		unsigned v = 0;
		sscanf(s + 2 * i, "%2x", &v);
		b[i] = (uint8_t)v;
	}
	return b;
}

static void hex(signal_buffer *b) {
	putchar(' ');
	for (size_t i = 0; i < signal_buffer_len(b); i++)
		printf("%02x", signal_buffer_data(b)[i]);
}

static int point(const char *s, ec_public_key **key) {
	size_t n;
	uint8_t *b = unhex(s, &n);
	int err = curve_decode_point(key, b, n, global);
	free(b);
	return err;
}

/* agree appends one key agreement to the secrets. */
static int agree(uint8_t *secrets, int n, ec_public_key *their, ec_key_pair *own) {
	uint8_t *shared = NULL;
	int size = curve_calculate_agreement(&shared, their, ec_key_pair_get_private(own));
	if (size != 32)
		return -1;
	memcpy(secrets + 32 * n, shared, 32);
	free(shared);
	return 0;
}

/* fresh makes a session of version 2 out of the three agreements: root and chain key, and what both sides put in alike. */
static int fresh(session_record *record, const uint8_t secrets[96], ec_public_key *their_identity, ratchet_root_key **root, ratchet_chain_key **chain) {
	static const char info[] = "WhisperText";
	uint8_t salt[32] = {0}, *out = NULL;
	hkdf_context *kdf = NULL;
	int err = hkdf_create(&kdf, VERSION, global);
	if (!err && hkdf_derive_secrets(kdf, &out, secrets, 96, salt, sizeof salt, (const uint8_t *)info, strlen(info), 64) != 64)
		err = -1;
	if (!err)
		err = ratchet_root_key_create(root, kdf, out, 32, global);
	if (!err)
		err = ratchet_chain_key_create(chain, kdf, out + 32, 32, 0, global);
	free(out);
	if (err)
		return err;
	if (!session_record_is_fresh(record) && (err = session_record_archive_current_state(record)))
		return err;
	session_state *state = session_record_get_state(record);
	session_state_set_session_version(state, VERSION);
	session_state_set_local_identity_key(state, ec_key_pair_get_public(identity));
	session_state_set_remote_identity_key(state, their_identity);
	return 0;
}

static int start(char **w) {
	ec_public_key *their_identity = NULL, *their_prekey = NULL;
	ec_key_pair *base = NULL, *ratchet = NULL;
	session_record *record = NULL;
	uint8_t secrets[96];
	ratchet_root_key *root = NULL, *next_root = NULL;
	ratchet_chain_key *chain = NULL, *sending = NULL;
	uint32_t id = (uint32_t)strtoul(w[2], NULL, 10);
	int err = point(w[1], &their_identity) || point(w[3], &their_prekey) || curve_generate_key_pair(global, &base) || curve_generate_key_pair(global, &ratchet);
	if (err || (err = agree(secrets, 0, their_prekey, identity)) || (err = agree(secrets, 1, their_identity, base)) ||
	    (err = agree(secrets, 2, their_prekey, base)) || (err = signal_protocol_session_load_session(store, &record, &peer)) ||
	    (err = fresh(record, secrets, their_identity, &root, &chain)) ||
	    (err = ratchet_root_key_create_chain(root, &next_root, &sending, their_prekey, ec_key_pair_get_private(ratchet))))
		return err;
	session_state *state = session_record_get_state(record);
	if ((err = session_state_add_receiver_chain(state, their_prekey, chain)))
		return err;
	session_state_set_sender_chain(state, ratchet, sending);
	session_state_set_root_key(state, next_root);
	session_state_set_unacknowledged_pre_key_message(state, &id, NO_SIGNED_PREKEY, ec_key_pair_get_public(base));
	session_state_set_alice_base_key(state, ec_key_pair_get_public(base));
	session_state_set_local_registration_id(state, 77);
	if (!(err = signal_protocol_session_store_session(store, &peer, record)))
		puts("ok");
	return err;
}

static int encrypt(session_cipher *cipher, const char *text) {
	size_t n;
	uint8_t *b = unhex(text, &n);
	ciphertext_message *m = NULL;
	int err = session_cipher_encrypt(cipher, b, n, &m);
	free(b);
	if (err)
		return err;
	printf("ok");
	hex(ciphertext_message_get_serialized(m));
	putchar('\n');
	SIGNAL_UNREF(m);
	return 0;
}

static int decrypt(session_cipher *cipher, const char *message) {
	size_t n;
	uint8_t *b = unhex(message, &n);
	signal_message *m = NULL;
	signal_buffer *text = NULL;
	int err = signal_message_deserialize(&m, b, n, global);
	free(b);
	if (!err)
		err = session_cipher_decrypt_signal_message(cipher, m, NULL, &text);
	SIGNAL_UNREF(m);
	if (err)
		return err;
	printf("ok");
	hex(text);
	putchar('\n');
	signal_buffer_free(text);
	return 0;
}

int main(int argc, char **argv) {
	static char line[1 << 20];
	axc_context *ctx = NULL;
	session_cipher *cipher = NULL;
	signal_protocol_session_store sessions = {.load_session_func = load_session, .store_session_func = store_session, .contains_session_func = contains_session};
	if (argc != 2 || axc_context_create(&ctx) || axc_context_set_db_fn(ctx, argv[1], strlen(argv[1])) || axc_init(ctx) ||
	    !(global = axc_context_get_axolotl_ctx(ctx)) || signal_protocol_store_context_create(&store, global) ||
	    signal_protocol_store_context_set_session_store(store, &sessions) || session_cipher_create(&cipher, store, &peer, global) ||
	    curve_generate_key_pair(global, &identity)) {
		fputs("libsignal-protocol-c does not start\n", stderr);
		return 1;
	}
	while (fgets(line, sizeof line, stdin)) {
		char *w[5] = {NULL};
		int n = 0;
		for (char *p = strtok(line, " \n"); p && n < 5; p = strtok(NULL, " \n"))
			w[n++] = p;
		int err = -1;
		if (n == 4 && !strcmp(w[0], "start"))
			err = start(w);
		else if (n >= 1 && !strcmp(w[0], "encrypt"))
			err = encrypt(cipher, n == 2 ? w[1] : "");
		else if (n == 2 && !strcmp(w[0], "decrypt"))
			err = decrypt(cipher, w[1]);
		if (err)
			printf("error %d\n", err);
		fflush(stdout);
	}
	session_cipher_free(cipher);
	axc_context_destroy_all(ctx);
	return 0;
}
