package repo_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// clone copies a layout deeply enough for a test to change it.
func clone(l repo.Layout) repo.Layout {
	l.Channels = slices.Clone(l.Channels)
	for _, r := range []*repo.RoleKeys{&l.Root, &l.Targets, &l.Snapshot, &l.Timestamp} {
		r.Holders = slices.Clone(r.Holders)
	}
	for i := range l.Channels {
		l.Channels[i].Holders = slices.Clone(l.Channels[i].Holders)
	}
	return l
}

func TestLayoutCheck(t *testing.T) {
	good := repotest.New(t, 5, 3).Layout
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	off := *good.Targets.Holders[1].Public.(*ecdsa.PublicKey)
	//lint:ignore SA1019 a point that is not on the curve, made on purpose
	off.Y = off.X
	twin := *good.Targets.Holders[1].Public.(*ecdsa.PublicKey)                                        // the same key, another object
	high := ed25519.PublicKey(append([]byte{0xee}, append(slices.Repeat([]byte{0xff}, 30), 0x7f)...)) // y = 1, written as 2^255-18

	key := func(pub crypto.PublicKey) func(*repo.Layout) {
		return func(l *repo.Layout) { l.Targets.Holders[0].Public = pub }
	}
	name := func(s string) func(*repo.Layout) { return func(l *repo.Layout) { l.Targets.Holders[0].Name = s } }
	for _, test := range []struct {
		name   string
		change func(*repo.Layout)
		want   string // "" is accepted
	}{
		{"as it is", func(*repo.Layout) {}, ""},
		{"quorum of all", func(l *repo.Layout) { l.Root.Quorum, l.Targets.Quorum = 5, 5 }, ""},
		{"quorum 0", func(l *repo.Layout) { l.Targets.Quorum = 0 }, "role targets: quorum 0, want 1 to 5, the number of keys"},
		{"quorum negative", func(l *repo.Layout) { l.Channels[1].Quorum = -1 }, "role stable: quorum -1, want 1 to 5, the number of keys"},
		{"quorum above", func(l *repo.Layout) { l.Channels[1].Quorum = 6 }, "role stable: quorum 6, want 1 to 5, the number of keys"},
		{"root no majority", func(l *repo.Layout) { l.Root.Quorum = 2 }, "role root: quorum 2 of 5 is no majority"},
		{"root half", func(l *repo.Layout) { l.Root.Holders = l.Root.Holders[:4]; l.Root.Quorum = 2 }, "role root: quorum 2 of 4 is no majority"},
		{"no keys", func(l *repo.Layout) { l.Snapshot.Holders = nil }, "role snapshot: 0 keys, want 1 to 64"},
		{"key twice", func(l *repo.Layout) { l.Targets.Holders[4].Public = l.Targets.Holders[0].Public }, "role targets: Ana Sousa and Elena Prado have the same key"},
		{"key twice, another object", func(l *repo.Layout) { l.Targets.Holders[4].Public = &twin }, "role targets: Bernd Kraus and Elena Prado have the same key"},
		{"person twice", func(l *repo.Layout) { l.Targets.Holders[4].Person = l.Targets.Holders[0].Person }, "role targets: Ana Sousa is listed twice"},
		{"person twice, other letters", func(l *repo.Layout) {
			l.Targets.Holders[4].Person = l.Targets.Holders[0].Person
			l.Targets.Holders[4].Name = "ANA SOUSA"
		}, "role targets: ANA SOUSA is listed twice"},
		{"one person, two countries", func(l *repo.Layout) { l.Targets.Holders[0].Jurisdiction = "US" },
			`role targets: Ana Sousa is "Ana Sousa" of "Tejo Labs" in "US" here and "Ana Sousa" of "Tejo Labs" in "PT" elsewhere`},
		{"root key audits", func(l *repo.Layout) { l.Targets.Holders[0].Public = l.Root.Holders[0].Public }, "role targets: the key of Ana Sousa is also used for root; one key, one purpose"},
		{"snapshot key is timestamp key", func(l *repo.Layout) { l.Timestamp = l.Snapshot }, "role timestamp: the key of Pia Publisher is also used for snapshot; one key, one purpose"},
		{"auditor key is online", func(l *repo.Layout) { l.Snapshot.Holders[0] = l.Targets.Holders[0] }, "role snapshot: the key of Ana Sousa is also used for auditing; one key, one purpose"},
		{"other key on a channel", func(l *repo.Layout) { l.Channels[0].Holders[0].Public = freshKey(t) }, ""},
		{"root key on a channel", func(l *repo.Layout) { l.Channels[0].Holders[0].Public = l.Root.Holders[0].Public }, "role beta: the key of Ana Sousa is also used for root; one key, one purpose"},
		{"RSA", key(&rsaKey.PublicKey), "role targets: key of Ana Sousa: key type *rsa.PublicKey, want ed25519 or ecdsa on P-256"},
		{"P-384", key(&p384.PublicKey), "role targets: key of Ana Sousa: ecdsa key is not on P-256"},
		{"off the curve", key(&off), "role targets: key of Ana Sousa: ecdsa key: "},
		{"short key", key(ed25519.PublicKey("short")), "role targets: key of Ana Sousa: ed25519 key of 5 bytes, want 32"},
		{"second encoding", key(high), "role targets: key of Ana Sousa: ed25519 key is not written in its canonical form"},
		{"no key", key(nil), "role targets: key of Ana Sousa: key type <nil>, want ed25519 or ecdsa on P-256"},
		{"no name", name(""), `role targets: name "" is empty`},
		{"spaces", name("Ana  Sousa"), `role targets: name "Ana  Sousa" has spaces at an end, or two in a row`},
		{"line break", name("Ana\nSousa"), `role targets: name "Ana\nSousa" has spaces at an end, or two in a row`},
		{"escape", name("Ana\x1b[1m"), `role targets: name "Ana\x1b[1m" has characters that do not print`},
		{"right to left", name("Ana \u202eSousa"), `has characters that do not print`},
		{"two-part letters", name("Ana Sou\u0301sa"), `has letters made of two characters`},
		{"not UTF-8", name("Ana\xff"), `is not UTF-8`},
		{"long name", name(strings.Repeat("a", 101)), "is longer than 100 bytes"},
		{"other scripts", func(l *repo.Layout) {
			for i, n := range []string{"森 大輝", "Аня Иванова", "अनिता शर्मा"} {
				l.Targets.Holders[i].Name, l.Channels[0].Holders[i].Name = n, n
			}
		}, ""},
		{"country", func(l *repo.Layout) { l.Targets.Holders[0].Jurisdiction = "Portugal" }, `role targets: jurisdiction "Portugal" of Ana Sousa, want two capital letters (ISO 3166)`},
		{"no country", func(l *repo.Layout) { l.Root.Holders[0].Jurisdiction = "" }, `role root: jurisdiction "" of Ana Sousa, want`},
		{"publisher without country", func(l *repo.Layout) {
			p := repo.Person{Name: "Robot"}
			l.Snapshot.Holders[0].Person, l.Timestamp.Holders[0].Person = p, p
		}, ""},
		{"no channels", func(l *repo.Layout) { l.Channels = nil }, "role targets: 0 channels, want 1 to 16"},
		{"channel twice", func(l *repo.Layout) { l.Channels[0].Name = "stable" }, "role stable: is listed twice"},
		{"channel named root", func(l *repo.Layout) { l.Channels[0].Name = "root" }, "role root: is a reserved name, no channel can have it"},
		{"channel named timestamp", func(l *repo.Layout) { l.Channels[0].Name = "timestamp" }, "role timestamp: is a reserved name, no channel can have it"},
		{"channel is a path", func(l *repo.Layout) { l.Channels[0].Name = "../x" }, `role "../x": a channel's name is lower-case letters, digits and hyphens, at most 32, a letter first`},
		{"channel with capitals", func(l *repo.Layout) { l.Channels[0].Name = "Stable" }, `role "Stable": a channel's name`},
	} {
		l := clone(good)
		test.change(&l)
		err := l.Check()
		var refused *repo.LayoutError
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if _, rootErr := repo.Root(l, stamp(1)); (rootErr == nil) != (err == nil) {
			t.Errorf("%s: Root says %v, Check says %v", test.name, rootErr, err)
		}
	}
}

func freshKey(t *testing.T) ed25519.PublicKey {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}
