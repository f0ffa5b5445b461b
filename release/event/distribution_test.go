package event_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

func TestDistribution(t *testing.T) {
	w := New(t)
	d, err := event.ParseDistribution(w.TOML())
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "Test Messenger" || len(d.People) != 5 || d.Quorum.Root != 3 || d.Expiry != event.DefaultExpiry() {
		t.Errorf("%+v", d)
	}
	files, err := d.TargetFiles()
	if err != nil {
		t.Fatal(err)
	}
	p, err := genuine.ParsePolicy(files["policy.json"])
	if err != nil {
		t.Fatal(err)
	}
	rule, ok := p.Rule("stable")
	if !ok || rule.Quorum != 3 || rule.Jurisdictions != 3 || len(p.StatementKeys()) != 5 {
		t.Errorf("%+v", p)
	}
	w.Expiry = "[expiry]\nchannel_days = 30\ntimestamp_hours = 6\n"
	d, err = event.ParseDistribution(w.TOML())
	if err != nil || d.Expiry != (event.Expiry{RootDays: 365, TargetsDays: 180, ChannelDays: 30, SnapshotDays: 7, TimestampHours: 6}) {
		t.Errorf("%+v %v", d.Expiry, err)
	}
}

// Every mistake in a distribution file is answered by the place, what stands there and what is wanted.
func TestDistributionMistakes(t *testing.T) {
	w := New(t)
	good := string(w.TOML())
	key := func(k Key) string { return signer.FormatPublic(k.Public(), "") }
	ana := w.People[Ana]
	for _, c := range []struct{ name, old, new, want string }{
		{"broken TOML", `name = "Test Messenger"`, `name = "Test Messenger`, `line 1: strings cannot contain newlines`},
		{"wrong type", `root = 3`, `root = "three"`, `line 5 (last key "quorum.root"): incompatible types: TOML value has type string; destination has type integer`},
		{"unknown key", `targets = 3`, "targets = 3\ntimestamps = 1", `line 7: unknown key "quorum.timestamps"`},
		{"unknown table", `[publisher]`, "[publishers]\nx = 1\n\n[publisher]", `unknown key or table "publishers"`},
		{"key twice", `root = 3`, "root = 3\nroot = 3", `line 6: Key 'quorum.root' has already been defined.`},
		{"no quorum", "[quorum]\nroot = 3\ntargets = 3", "", `table [quorum] is missing, want root and targets`},
		{"no name", `name = "Test Messenger"`, `name = ""`, `name "", want 1 to 100 printable characters`},
		{"reversed name", `name = "Test Messenger"`, `name = "Test \u202eMessenger"`, "name \"Test \\u202eMessenger\", want 1 to 100 printable characters"},
		{"no mirrors", `mirrors = ["https://mirror.example.org/repository"]`, `mirrors = []`, `mirrors: no mirrors, want at least one URL such as "https://updates.example.org"`},
		{"ftp mirror", `https://mirror.example.org/repository`, `ftp://mirror.example.org`, `mirrors: mirror "ftp://mirror.example.org", want an http, https or file URL, want at least one URL such as "https://updates.example.org"`},
		{"mirror twice", `["https://mirror.example.org/repository"]`, `["https://a.example", "https://a.example/"]`, `mirrors: "https://a.example/" is there twice`},
		{"mirror with a user", `https://mirror`, `https://me:pw@mirror`, `mirrors: "https://me:pw@mirror.example.org/repository", want a plain URL without user, query or fragment`},
		{"United Kingdom", `jurisdiction = "DE"`, `jurisdiction = "UK"`, `[[person]] 2 (line 39) "Ben Weiss": jurisdiction = "UK", want an ISO 3166 country code of two capital letters, such as "PT"; did you mean "GB"?`},
		{"small letters", `jurisdiction = "DE"`, `jurisdiction = "de"`, `jurisdiction = "de", want an ISO 3166 country code of two capital letters, such as "PT"; did you mean "DE"?`},
		{"three letters", `jurisdiction = "DE"`, `jurisdiction = "DEU"`, `jurisdiction = "DEU", want an ISO 3166 country code of two capital letters, such as "PT"; did you mean "DE"?`},
		{"a name", `jurisdiction = "DE"`, `jurisdiction = "Germany"`, `jurisdiction = "Germany", want an ISO 3166 country code of two capital letters, such as "PT"`},
		{"no country", `jurisdiction = "DE"`, `jurisdiction = "EU"`, `jurisdiction = "EU" is not a country, want an ISO 3166 country code of two capital letters, such as "PT"`},
		{"unknown code", `jurisdiction = "DE"`, `jurisdiction = "ZZ"`, `jurisdiction = "ZZ" is not a country, want an ISO 3166 country code of two capital letters, such as "PT"`},
		{"no code", `jurisdiction = "DE"`, `jurisdiction = ""`, `jurisdiction is missing, want an ISO 3166 country code of two capital letters, such as "PT"`},
		{"publisher's code", `jurisdiction = "SE"`, `jurisdiction = "XX"`, `[publisher] (line 24): jurisdiction = "XX" is not a country, want an ISO 3166 country code of two capital letters, such as "PT"`},
		{"root quorum", `root = 3`, `root = 6`, `[quorum] (line 4): root = 6, want 1 to 5, the number of people with a root key`},
		{"root minority", `root = 3`, `root = 2`, `[quorum] (line 4): root = 2 of 5 root holders, want a majority: at least 3`},
		{"root none", `root = 3`, `root = 0`, `[quorum] (line 4): root = 0, want 1 to 5, the number of people with a root key`},
		{"targets quorum", `targets = 3`, `targets = 6`, `[quorum] (line 4): targets = 6, want 1 to 5, the number of people with an auditor key`},
		{"negative quorum", `targets = 3`, `targets = -1`, `[quorum] (line 4): targets = -1, want 1 to 5, the number of people with an auditor key`},
		{"channel quorum", "quorum = 3\njurisdictions = 3", "quorum = 6\njurisdictions = 3", `channel "stable": quorum = 6, want 1 to 5, the number of people with an auditor key`},
		{"channel without quorum", "quorum = 3\njurisdictions = 3", "jurisdictions = 3", `channel "stable": quorum = 0, want 1 to 5, the number of people with an auditor key`},
		{"jurisdictions", "jurisdictions = 3", "jurisdictions = 5", `channel "stable": jurisdictions = 5, want 0 to 4, the number of countries the auditors come from`},
		{"jurisdictions above the quorum", "jurisdictions = 3", "jurisdictions = 4", `channel "stable": jurisdictions = 4, want 0 to 3, the quorum`},
		{"organisations", "organisations = 3", "organisations = 6", `channel "stable": organisations = 6, want 0 to 5, the number of organisations the auditors come from`},
		{"rebuilds", "rebuilds = 3", "rebuilds = 6", `channel "stable": rebuilds = 6, want 0 to 5, the number of people with a statement key`},
		{"rebuilds without keys", `statement = "` + key(ana.Statement) + `"`, "", ""},
		{"channel twice", `name = "beta"`, `name = "stable"`, `channel "stable" is there twice`},
		{"channel named as a role", `name = "beta"`, `name = "root"`, `channel "root": want a name of lower case letters, digits and dashes that is not a TUF role's`},
		{"channel with a slash", `name = "beta"`, `name = "../x"`, `channel "../x": want a name of lower case letters, digits and dashes that is not a TUF role's`},
		{"person twice", `name = "Ben Weiss"`, `name = "Ana Sousa"`, `[[person]] 2 (line 39) "Ana Sousa": name "Ana Sousa" is already that of [[person]] 1 (line 31); one person, one entry`},
		{"one key for two people", key(w.People[Ben].Auditor), key(ana.Auditor), `[[person]] 2 (line 39) "Ben Weiss": auditor is the same key as auditor of [[person]] 1 (line 31) "Ana Sousa"; one key, one role, one person`},
		{"one key for two roles", key(ana.Root), key(ana.Auditor), `[[person]] 1 (line 31) "Ana Sousa": root is the same key as auditor of [[person]] 1 (line 31) "Ana Sousa"; one key, one role, one person`},
		{"one online key", key(w.Timestamp), key(w.Snapshot), `[publisher] (line 24): timestamp is the same key as snapshot of [publisher] (line 24); one key, one role, one person`},
		{"no online key", `timestamp = "` + key(w.Timestamp) + `"`, "", `[publisher] (line 24): timestamp is missing, want a public key line`},
		{"bad key", key(ana.Auditor), "ssh-ed25519 AAAA", ""},
		{"statement by Ed25519", key(ana.Statement), key(Ed25519("x")), `[[person]] 1 (line 31) "Ana Sousa": statement is a key of type ed25519.PublicKey, want a P-256 key (ecdsa-sha2-nistp256 …), which stock tools can check`},
		{"no organisation", `organisation = "Beta"`, `organisation = ""`, `[[person]] 2 (line 39) "Ben Weiss": organisation is missing`},
		{"expiry", "[[channel]]\nname = \"beta\"", "[expiry]\nroot_days = 0\n\n[[channel]]\nname = \"beta\"", `[expiry] (line 17): root_days = 0, want 1 to 3650`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Errorf("%s: %q is not in the good file", c.name, c.old)
			continue
		}
		_, err := event.ParseDistribution([]byte(text))
		switch {
		case c.name == "rebuilds without keys":
			// Four people with statement keys are enough for three rebuilds; with two they are not.
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			for _, i := range []int{Ben, Cleo} {
				text = strings.Replace(text, `statement = "`+key(w.People[i].Statement)+`"`, "", 1)
			}
			_, err = event.ParseDistribution([]byte(text))
			if want := `distribution file: channel "stable": rebuilds = 3, want 0 to 2, the number of people with a statement key (without one: Ana Sousa, Ben Weiss, Cleo Hart)`; err == nil || err.Error() != want {
				t.Errorf("%s: %v", c.name, err)
			}
		case err == nil:
			t.Errorf("%s: accepted", c.name)
		case !strings.HasSuffix(err.Error(), c.want):
			t.Errorf("%s:\n  %v\nwant\n  … %s", c.name, err, c.want)
		case c.name == "bad key" && !strings.Contains(err.Error(), `[[person]] 1 (line 31) "Ana Sousa": auditor = "ssh-ed25519 AAAA": `):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDistributionTooLong(t *testing.T) {
	_, err := event.ParseDistribution(bytes.Repeat([]byte("#"), event.MaxDistribution+1))
	if err == nil || err.Error() != "distribution file: 262145 bytes, at most 262144 allowed" {
		t.Error(err)
	}
}
