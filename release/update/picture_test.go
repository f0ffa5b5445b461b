//go:build linux

package update_test

import (
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
)

func (d *device) picture() update.Picture {
	return update.Paint(d.anchor(), nil, d.home, d.running(), d.now)
}

// who lists the people of whom something is so.
func who(p update.Picture, is func(update.Vouch) bool) string {
	var names []string
	for _, v := range p.People {
		if is(v) {
			names = append(names, v.Name)
		}
	}
	return strings.Join(names, ", ")
}

func TestThePictureShowsWhoDidWhat(t *testing.T) {
	d := newDevice(t, asking())
	if p := d.picture(); p.Outcome != genuine.Unknown || len(p.People) == 0 || who(p, func(v update.Vouch) bool { return v.Signed || v.Rebuilt }) != "" {
		t.Fatalf("before the first check: %+v", p)
	}
	made := d.publish("1.1.0", "")
	d.mustUpdate()
	p := d.picture()
	signed, rebuilt := who(p, func(v update.Vouch) bool { return v.Signed }), who(p, func(v update.Vouch) bool { return v.Rebuilt && !v.RebuiltAt.IsZero() })
	if p.Outcome != genuine.Genuine || p.Need.Quorum != 3 || p.Need.Rebuilds != 3 || p.Counts.Signed < 3 || p.Counts.Rebuilt < 3 || p.Counts.Jurisdictions == 0 {
		t.Errorf("%+v, need %+v", p.Counts, p.Need)
	}
	if strings.Count(signed, ",")+1 != p.Counts.Signed || strings.Count(rebuilt, ",")+1 != p.Counts.Rebuilt {
		t.Errorf("%d signed: %s; %d rebuilt, with times: %s", p.Counts.Signed, signed, p.Counts.Rebuilt, rebuilt)
	}
	if len(p.Past) != 2 || p.Past[0].Version != "1.1.0" || !p.Past[0].Running || len(p.Past[0].Signed) < 3 || p.Past[1].Version != "1.0.0" || p.Return != "1.0.0" {
		t.Errorf("return to %q of %+v", p.Return, p.Past)
	}
	if len(p.Check) != 3 || !strings.Contains(p.Check[0], p.Path) || !strings.Contains(p.Check[2], p.Source) || p.Source == "" || p.Made.IsZero() {
		t.Errorf("%q, made of %s at %v", p.Check, p.Source, p.Made)
	}
	// Two take it back: it is told who, and when.
	d.withdraw("withdrawn", made, 0, 1)
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	p = d.picture()
	withdrew := who(p, func(v update.Vouch) bool { return v.Withdrew && v.WithdrewAt.Equal(d.world.Now.Truncate(1e9)) })
	if p.Outcome != genuine.Refused || p.Counts.Withdrew != 2 || strings.Count(withdrew, ",") != 1 || p.Past[0].Held == nil {
		t.Errorf("%v, %d withdrew: %q, %+v", p.Outcome, p.Counts.Withdrew, withdrew, p.Past)
	}
}

func TestThePictureOfAProgramWithoutDistribution(t *testing.T) {
	d := newDevice(t, asking())
	p := update.Paint(d.anchor(), errNone{}, d.home, d.running(), d.now)
	if p.Outcome != genuine.Unknown || p.Why != "none here" || len(p.Check) != 3 || p.People == nil || p.Past == nil {
		t.Errorf("%+v", p)
	}
}

type errNone struct{}

func (errNone) Error() string { return "none here" }
