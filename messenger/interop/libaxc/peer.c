/* A foreign peer: Debian's libsignal-protocol-c by way of libaxc, behind lines on standard input and output.
 *
 * Usage: peer DATABASE. A line is a request of words, byte strings in hexadecimal; the answer is "ok" with words, or "error" and a number.
 *   bundle                                  -> ok REGID IDENTITY SIGNEDID SIGNEDKEY SIGNATURE PREKEYID PREKEY
 *   process NAME PREKEYID PREKEY SIGNEDID SIGNEDKEY SIGNATURE IDENTITY -> ok
 *   encrypt NAME TEXT                       -> ok MESSAGE
 *   decrypt NAME MESSAGE                    -> ok TEXT
 *   prekey NAME MESSAGE                     -> ok TEXT (a prekey message)
 *   senderkey                               -> ok DISTRIBUTION (of one group)
 *   groupencrypt TEXT                       -> ok MESSAGE
 *   fingerprint ID KEY THEIRID THEIRKEY     -> ok DIGITS CODE
 *   compare CODE THEIRCODE                  -> ok 1 (the same) or 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <axc.h>
#include <curve.h>
#include <fingerprint.h>
#include <group_cipher.h>
#include <group_session_builder.h>
#include <protocol.h>

static axc_context *ctx;

static axc_buf *unhex(const char *s) {
	size_t n = strlen(s) / 2;
	uint8_t *b = malloc(n + 1);
	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;
		sscanf(s + 2 * i, "%2x", &v);
		b[i] = (uint8_t)v;
	}
	axc_buf *out = axc_buf_create(b, n);
	free(b);
	return out;
}

static void hex(axc_buf *b) {
	putchar(' ');
	for (size_t i = 0; i < axc_buf_get_len(b); i++)
		printf("%02x", axc_buf_get_data(b)[i]);
}

static axc_address address(const char *name) {
	axc_address a = {.name = name, .name_len = strlen(name), .device_id = 1};
	return a;
}

static int bundle(void) {
	axc_bundle *b = NULL;
	int err = axc_bundle_collect(1, ctx, &b);
	if (err)
		return err;
	axc_buf_list_item *first = axc_bundle_get_pre_key_list(b);
	printf("ok %u", axc_bundle_get_reg_id(b));
	hex(axc_bundle_get_identity_key(b));
	printf(" %u", axc_bundle_get_signed_pre_key_id(b));
	hex(axc_bundle_get_signed_pre_key(b));
	hex(axc_bundle_get_signature(b));
	printf(" %u", axc_buf_list_item_get_id(first));
	hex(axc_buf_list_item_get_buf(first));
	putchar('\n');
	axc_bundle_destroy(b);
	return 0;
}

static int process(char **w) {
	axc_address a = address(w[1]);
	int err = axc_session_from_bundle((uint32_t)strtoul(w[2], NULL, 10), unhex(w[3]), (uint32_t)strtoul(w[4], NULL, 10),
	                                  unhex(w[5]), unhex(w[6]), unhex(w[7]), &a, ctx);
	if (!err)
		puts("ok");
	return err;
}

static int message(char **w) {
	axc_address a = address(w[1]);
	axc_buf *in = unhex(w[2]), *out = NULL;
	int err;
	if (!strcmp(w[0], "encrypt"))
		err = axc_message_encrypt_and_serialize(in, &a, ctx, &out);
	else if (!strcmp(w[0], "decrypt"))
		err = axc_message_decrypt_from_serialized(in, &a, ctx, &out);
	else
		err = axc_pre_key_message_process(in, &a, ctx, &out);
	if (!err) {
		printf("ok");
		hex(out);
		putchar('\n');
	}
	axc_buf_free(in);
	if (out)
		axc_buf_free(out);
	return err;
}

/* Sender keys: libaxc has no store for them, so one record is kept here. */
static signal_buffer *sender_key;
static signal_protocol_store_context *group_store;
static const signal_protocol_sender_key_name group = {"group", 5, {"me", 2, 1}};

static int store_sender_key(const signal_protocol_sender_key_name *name, uint8_t *record, size_t n, uint8_t *user, size_t user_n, void *data) {
	(void)name, (void)user, (void)user_n, (void)data;
	signal_buffer_free(sender_key);
	sender_key = signal_buffer_create(record, n);
	return sender_key ? 0 : -1;
}

static int load_sender_key(signal_buffer **record, signal_buffer **user, const signal_protocol_sender_key_name *name, void *data) {
	(void)name, (void)user, (void)data;
	if (!sender_key)
		return 0;
	*record = signal_buffer_copy(sender_key);
	return 1;
}

static int start_group(void) {
	signal_protocol_sender_key_store store = {.store_sender_key = store_sender_key, .load_sender_key = load_sender_key};
	signal_context *global = axc_context_get_axolotl_ctx(ctx);
	int err = signal_protocol_store_context_create(&group_store, global);
	return err ? err : signal_protocol_store_context_set_sender_key_store(group_store, &store);
}

static int senderkey(void) {
	group_session_builder *builder = NULL;
	sender_key_distribution_message *d = NULL;
	int err = group_session_builder_create(&builder, group_store, axc_context_get_axolotl_ctx(ctx));
	if (!err)
		err = group_session_builder_create_session(builder, &d, &group);
	if (err)
		return err;
	printf("ok");
	hex(ciphertext_message_get_serialized((ciphertext_message *)d));
	putchar('\n');
	group_session_builder_free(builder);
	return 0;
}

static int groupencrypt(const char *text) {
	group_cipher *cipher = NULL;
	ciphertext_message *m = NULL;
	axc_buf *in = unhex(text);
	int err = group_cipher_create(&cipher, group_store, &group, axc_context_get_axolotl_ctx(ctx));
	if (!err)
		err = group_cipher_encrypt(cipher, axc_buf_get_data(in), axc_buf_get_len(in), &m);
	axc_buf_free(in);
	if (err)
		return err;
	printf("ok");
	hex(ciphertext_message_get_serialized(m));
	putchar('\n');
	group_cipher_free(cipher);
	return 0;
}

static int point(const char *s, ec_public_key **key) {
	axc_buf *b = unhex(s);
	int err = curve_decode_point(key, axc_buf_get_data(b), axc_buf_get_len(b), axc_context_get_axolotl_ctx(ctx));
	axc_buf_free(b);
	return err;
}

static int fingerprint_of(char **w) {
	ec_public_key *own = NULL, *their = NULL;
	fingerprint_generator *g = NULL;
	fingerprint *f = NULL;
	signal_buffer *code = NULL;
	int err = point(w[2], &own);
	if (err || (err = point(w[4], &their)) || (err = fingerprint_generator_create(&g, 5200, 1, axc_context_get_axolotl_ctx(ctx))) ||
	    (err = fingerprint_generator_create_for(g, w[1], own, w[3], their, &f)) ||
	    (err = scannable_fingerprint_serialize(&code, fingerprint_get_scannable(f))))
		return err;
	printf("ok %s", displayable_fingerprint_text(fingerprint_get_displayable(f)));
	hex(code);
	putchar('\n');
	signal_buffer_free(code);
	SIGNAL_UNREF(f);
	fingerprint_generator_free(g);
	SIGNAL_UNREF(own);
	SIGNAL_UNREF(their);
	return 0;
}

static int compare(char **w) {
	scannable_fingerprint *f[2] = {NULL, NULL};
	int err = 0;
	for (int i = 0; i < 2 && !err; i++) {
		axc_buf *b = unhex(w[1 + i]);
		err = scannable_fingerprint_deserialize(&f[i], axc_buf_get_data(b), axc_buf_get_len(b), axc_context_get_axolotl_ctx(ctx));
		axc_buf_free(b);
	}
	if (err)
		return err;
	int same = scannable_fingerprint_compare(f[0], f[1]);
	if (same < 0)
		return same;
	printf("ok %d\n", same);
	SIGNAL_UNREF(f[0]);
	SIGNAL_UNREF(f[1]);
	return 0;
}

int main(int argc, char **argv) {
	static char line[1 << 20];
	if (argc != 2 || axc_context_create(&ctx) || axc_context_set_db_fn(ctx, argv[1], strlen(argv[1])) || axc_init(ctx) || axc_install(ctx) || start_group()) {
		fputs("libaxc does not start\n", stderr);
		return 1;
	}
	while (fgets(line, sizeof line, stdin)) {
		char *w[9] = {NULL};
		int n = 0;
		for (char *p = strtok(line, " \n"); p && n < 9; p = strtok(NULL, " \n"))
			w[n++] = p;
		int err = -1;
		if (n == 1 && !strcmp(w[0], "bundle"))
			err = bundle();
		else if (n == 1 && !strcmp(w[0], "senderkey"))
			err = senderkey();
		else if (n == 2 && !strcmp(w[0], "groupencrypt"))
			err = groupencrypt(w[1]);
		else if (n == 5 && !strcmp(w[0], "fingerprint"))
			err = fingerprint_of(w);
		else if (n == 3 && !strcmp(w[0], "compare"))
			err = compare(w);
		else if (n == 8 && !strcmp(w[0], "process"))
			err = process(w);
		else if (n == 3)
			err = message(w);
		if (err)
			printf("error %d\n", err);
		fflush(stdout);
	}
	axc_context_destroy_all(ctx);
	return 0;
}
