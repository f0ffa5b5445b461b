//go:build linux

package update_test

import (
	"crypto/sha256"
	"runtime"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
)

func TestWhatAnotherComputerClaims(t *testing.T) {
	d := newDevice(t, asking())
	made := d.publish("1.1.0", "")
	claim := func(change func(*update.Claim)) update.Claim {
		c := update.Claim{Program: "messenger", Version: "1.1.0", OS: runtime.GOOS, Arch: runtime.GOARCH, SHA256: sha256.Sum256(program(t, "1.1.0", "")), Distribution: "Example"}
		if change != nil {
			change(&c)
		}
		return c
	}
	for _, c := range []struct {
		claim  update.Claim
		want   genuine.Outcome
		why    string
		behind bool
	}{
		{claim(nil), genuine.Genuine, "", false},
		{claim(func(c *update.Claim) { c.Version, c.SHA256 = "1.0.0", sha256.Sum256(program(t, "1.0.0", "")) }), genuine.Genuine, "", true},
		{claim(func(c *update.Claim) { c.SHA256[0] ^= 1 }), genuine.Refused, "it was built by somebody else", false},
		{claim(func(c *update.Claim) { c.Version = "1.2.0" }), genuine.Unknown, "the distribution names no version 1.2.0", false},
		{claim(func(c *update.Claim) { c.Version = "newest" }), genuine.Unknown, `"newest" is not a version`, false},
		{claim(func(c *update.Claim) { c.Distribution = "Other" }), genuine.Unknown, `this program knows only "Example"`, false},
		{claim(func(c *update.Claim) { c.Distribution = "" }), genuine.Unknown, "nobody vouches for it", false},
		{claim(func(c *update.Claim) { c.Arch = "z80" }), genuine.Unknown, "/z80", false},
	} {
		got := d.updater().Judge(t.Context(), c.claim)
		if got.Outcome != c.want || !strings.Contains(got.Why, c.why) || (got.Why == "") != (c.why == "") || got.Behind != c.behind || !strings.Contains(got.Limits, "cannot be seen from here") {
			t.Errorf("%+v: %+v, want %v, %q", c.claim, got, c.want, c.why)
		}
		signed := 0
		for _, v := range got.People {
			if v.Signed {
				signed++
			}
		}
		if genuine := c.want == genuine.Genuine; genuine != (signed > 0) || signed != got.Counts.Signed || genuine != (got.Need.Quorum > 0) || got.People == nil {
			t.Errorf("%+v: %d people of %+v signed, counted as %+v, needed %+v", c.claim, signed, got.People, got.Counts, got.Need)
		}
	}
	d.withdraw("withdrawn", made, 0, 1)
	if got := d.updater().Judge(t.Context(), claim(nil)); got.Outcome != genuine.Refused || !strings.Contains(got.Why, "withdrawn") {
		t.Errorf("withdrawn: %+v", got)
	}
}
