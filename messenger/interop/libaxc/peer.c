/* A foreign peer: Debian's libsignal-protocol-c by way of libaxc, behind lines on standard input and output.
 *
 * Usage: peer DATABASE. A line is a request of words, byte strings in hexadecimal; the answer is "ok" with words, or "error" and a number.
 *   bundle                                  -> ok REGID IDENTITY SIGNEDID SIGNEDKEY SIGNATURE PREKEYID PREKEY
 *   process NAME PREKEYID PREKEY SIGNEDID SIGNEDKEY SIGNATURE IDENTITY -> ok
 *   encrypt NAME TEXT                       -> ok MESSAGE
 *   decrypt NAME MESSAGE                    -> ok TEXT
 *   prekey NAME MESSAGE                     -> ok TEXT (a prekey message)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <axc.h>

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

int main(int argc, char **argv) {
	static char line[1 << 20];
	if (argc != 2 || axc_context_create(&ctx) || axc_context_set_db_fn(ctx, argv[1], strlen(argv[1])) || axc_init(ctx) || axc_install(ctx)) {
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
