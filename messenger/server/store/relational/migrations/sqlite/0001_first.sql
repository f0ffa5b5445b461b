-- The first schema. Times are milliseconds since 1970, days are days since 1970, flags are a bit each.

CREATE TABLE account (
	key          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
	name         TEXT NOT NULL UNIQUE,
	token        BLOB NOT NULL,                     -- directory token of the name
	identity_key BLOB,
	pin          TEXT NOT NULL,
	profile_name TEXT NOT NULL,
	avatar       TEXT NOT NULL,
	username     TEXT UNIQUE,
	device_list  BLOB,
	list_serial  BIGINT NOT NULL,
	created      INTEGER NOT NULL,                  -- day
	seen         INTEGER NOT NULL                   -- day
);
CREATE INDEX account_token ON account (token);

CREATE TABLE device (
	key             INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
	account         BIGINT NOT NULL REFERENCES account (key),
	id              INTEGER NOT NULL,
	secret          BLOB NOT NULL,
	name            TEXT NOT NULL,
	registration_id BIGINT NOT NULL,
	signaling_key   BLOB,
	flags           INTEGER NOT NULL, -- 1 fetches messages, 2 voice, 4 video, 8 web socket channel, 16 SPQR, 32 sender keys
	gcm             TEXT NOT NULL,
	apn             TEXT NOT NULL,
	voip            TEXT NOT NULL,
	created         INTEGER NOT NULL, -- day
	seen            INTEGER NOT NULL, -- day
	UNIQUE (account, id)
);

-- Public prekeys. kind: 1 one-time, 2 one-time Kyber, 3 signed, 4 last resort, 5 last resort Kyber.
CREATE TABLE prekey (
	dev  BIGINT NOT NULL,
	kind INTEGER NOT NULL,
	id   BIGINT NOT NULL,
	pub  BLOB NOT NULL,
	sig  BLOB
);
CREATE UNIQUE INDEX prekey_dev ON prekey (dev, kind, id);

-- The queue: appended at the end, read by device. The index alone answers how full a device's queue is. AUTOINCREMENT, so
-- that a late acknowledgement can never name an envelope that came after the one it meant.
CREATE TABLE msg (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	dev    BIGINT NOT NULL,
	guid   BLOB NOT NULL,
	tag    BIGINT NOT NULL,
	size   BIGINT NOT NULL,
	stored BIGINT NOT NULL,
	tries  INTEGER NOT NULL,
	body   BLOB NOT NULL
);
CREATE INDEX msg_dev ON msg (dev, id, size);

CREATE TABLE node (
	name  TEXT PRIMARY KEY,
	until BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE presence (
	dev   INTEGER PRIMARY KEY,
	node  TEXT NOT NULL,
	epoch BIGINT NOT NULL
);
CREATE INDEX presence_node ON presence (node);

-- Verification and provisioning codes. kind: 1 register, 2 provision. Wrong guesses are counted until count_until.
CREATE TABLE code (
	kind        INTEGER NOT NULL,
	subject     TEXT NOT NULL,
	code        TEXT NOT NULL, -- '' once used
	expires     BIGINT NOT NULL,
	tries       INTEGER NOT NULL,
	count_until BIGINT NOT NULL,
	PRIMARY KEY (kind, subject)
) WITHOUT ROWID;

CREATE TABLE invite (
	hash    BLOB PRIMARY KEY,
	note    TEXT NOT NULL,
	uses    INTEGER NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL -- 0: never
) WITHOUT ROWID;

CREATE TABLE attachment (
	id       INTEGER PRIMARY KEY,
	owner    BIGINT NOT NULL,
	complete INTEGER NOT NULL,
	size     BIGINT NOT NULL,
	hash     BLOB,
	expires  BIGINT NOT NULL
);
CREATE INDEX attachment_expires ON attachment (expires);
CREATE INDEX attachment_hash ON attachment (hash);
