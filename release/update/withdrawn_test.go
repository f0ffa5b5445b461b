//go:build linux

package update_test

import (
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// asking is a world in which two withdrawals stop a release.
func asking() repotest.Config {
	return repotest.Config{Rules: []repotest.Rule{{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 3, Rebuilds: 3, Withdrawals: 2}}}
}

func (d *device) withdraw(state string, m repotest.Made, people ...int) {
	d.t.Helper()
	d.later()
	var list [][]byte
	for _, i := range people {
		list = append(list, d.world.Withdrawal(i, m, state, "leaks keys", d.world.Now))
	}
	d.world.Withdraw(list...)
}

func TestAWithdrawnVersionIsNotInstalled(t *testing.T) {
	d := newDevice(t, asking())
	made := d.publish("1.1.0", "")
	d.withdraw("withdrawn", made, 0)
	if r, err := d.updater().Check(t.Context()); err != nil || r.Newest != "1.1.0" {
		t.Fatalf("one of two: %+v, %v", r, err)
	}
	d.withdraw("withdrawn", made, 0, 1)
	_, err := d.update()
	if err == nil || !strings.Contains(err.Error(), "2 auditors have withdrawn it, 2 stop it") {
		t.Fatalf("error %v", err)
	}
	if s := d.state(); s.Current != "" || !s.Held["1.1.0"].Withdrawn {
		t.Fatalf("%+v", s)
	}
	// The publisher takes the list back: the device has not forgotten.
	d.withdraw("withdrawn", made)
	if r, err := d.update(); err == nil || r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	d.withdraw("reinstated", made, 1)
	if r, err := d.update(); err != nil || !r.Installed || r.Newest != "1.1.0" {
		t.Fatalf("reinstated: %+v, %v", r, err)
	}
	if s := d.state(); s.Current != "1.1.0" || len(s.Held) != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestAWithdrawalBringsTheLastGenuineVersionBack(t *testing.T) {
	d := newDevice(t, asking())
	d.publish("1.1.0", "")
	d.mustUpdate()
	d.later()
	made := d.publish("1.2.0", "")
	d.mustUpdate()
	d.withdraw("withdrawn", made, 1, 3)
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	s := d.state()
	if s.Current != "1.1.0" || !s.Held["1.2.0"].Withdrawn || !strings.Contains(s.Notice, "version 1.2.0 was withdrawn: ") || !strings.HasSuffix(s.Notice, "; returned to 1.1.0") {
		t.Fatalf("%+v", s)
	}
	if got := d.about(); got.Outcome != genuine.Refused || !strings.Contains(got.Text(), "(reason 7, not withdrawn)") {
		t.Error(got.Text())
	}
	d.version = "1.1.0" // after the restart
	if r, err := d.update(); err != nil || r.Installed {
		t.Fatalf("installed again: %+v, %v", r, err)
	}
	if s := d.state(); s.Current != "1.1.0" {
		t.Fatalf("%+v", s)
	}
	w := d.web()
	d.sources = []fetch.Source{fetch.HTTP(w.URL, nil)}
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	if n := w.requests.Load(); n != 2 {
		t.Errorf("%d requests with nothing new, want 2", n)
	}
	d.sources = nil
	d.withdraw("reinstated", made, 1)
	if r, err := d.update(); err != nil || !r.Installed || r.Newest != "1.2.0" {
		t.Fatalf("reinstated: %+v, %v", r, err)
	}
}

// The version before the withdrawn one is withdrawn as well: the base is what remains.
func TestAWithdrawalPassesOverOtherWithdrawnVersions(t *testing.T) {
	d := newDevice(t, asking())
	if _, err := d.update(); err != nil { // the base gets to know who vouches for it
		t.Fatal(err)
	}
	one := d.publish("1.1.0", "")
	d.mustUpdate()
	d.later()
	two := d.publish("1.2.0", "")
	d.mustUpdate()
	d.later()
	var list [][]byte
	for _, m := range []repotest.Made{one, two} {
		for i := range 2 {
			list = append(list, d.world.Withdrawal(i, m, "withdrawn", "leaks keys", d.world.Now))
		}
	}
	d.world.Withdraw(list...)
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	if s := d.state(); s.Current != "" || !strings.HasSuffix(s.Notice, "; returned to the program file you started") {
		t.Fatalf("%+v", s)
	}
}

// Nothing genuine is left: the program keeps running and says so.
func TestAWithdrawalOfTheOnlyVersionIsAnAlarm(t *testing.T) {
	d := newDevice(t, asking())
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	d.withdraw("withdrawn", d.world.Made("stable", "1.0.0"), 0, 1)
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	got := d.about()
	if s := d.state(); s.Current != "" || got.Outcome != genuine.Refused || !strings.Contains(got.Text(), "ALARM: version 1.0.0 was withdrawn: ") {
		t.Fatalf("%+v\n%s", s, got.Text())
	}
	// A newer genuine version ends it.
	d.later()
	d.publish("1.1.0", "")
	if r, err := d.update(); err != nil || !r.Installed || r.Newest != "1.1.0" {
		t.Fatalf("%+v, %v", r, err)
	}
}

// The version floor is respected: what is below it does not come back.
func TestAWithdrawalDoesNotGoBelowTheFloor(t *testing.T) {
	d := newDevice(t, asking())
	made := d.publish("1.1.0", "", func(r *repotest.Release) { r.Minimum = "1.1.0" })
	d.mustUpdate()
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	d.withdraw("withdrawn", made, 0, 1)
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	if s := d.state(); s.Floor != "1.1.0" || s.Current != "1.1.0" || !strings.HasPrefix(s.Notice, "ALARM: ") {
		t.Fatalf("%+v", s)
	}
}

// A quorum alone is not enough where the policy asks for more.
func TestUpdateWithoutTheOtherReasonsIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		rule repotest.Rule
		want string
	}{
		"reviews":  {repotest.Rule{Channel: "stable", Quorum: 3, Reviews: 2}, "(reason 5, reviewed)"},
		"logged":   {repotest.Rule{Channel: "stable", Quorum: 3, Logged: true}, "(reason 6, logged)"},
		"rebuilds": {repotest.Rule{Channel: "stable", Quorum: 3, Rebuilds: 4}, "(reason 4, rebuilt)"},
	} {
		d := newDevice(t, repotest.Config{Rules: []repotest.Rule{{Channel: "beta", Quorum: 1}, c.rule}})
		d.publish("1.1.0", "")
		r, err := d.update()
		if err == nil || r.Installed || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v, want %s", name, r, err, c.want)
		}
	}
}
