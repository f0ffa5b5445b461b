package update_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func isRefusal(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}

// places puts all auditors into two countries.
func places(i int) (string, string) {
	return fmt.Sprintf("Org %d", i), []string{"PT", "DE"}[i%2]
}

// TestRefusedKeepsTheOld: whatever is wrong with a release, the device stays at its version, says why
// with the right kind of exit code, and remembers it.
func TestRefusedKeepsTheOld(t *testing.T) {
	name := platform() + "/" + fileName()
	for _, c := range []struct {
		name    string
		config  repotest.Config
		spoil   func(d *device)
		want    string
		refused bool
	}{
		{"two auditors signed", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Signers = []int{0, 1} })
		}, "stable: quorum not reached: 2 of the 5 keys authorised signed (Ana Sousa, Bernd Kraus), 3 needed", true},
		{"two countries only", repotest.Config{Place: places, Rules: []repotest.Rule{{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 3, Jurisdictions: 3}}}, func(d *device) {
			d.publish("1.1.0", "")
		}, "the 3 signers are of 2 jurisdictions (DE, PT), 3 needed", true},
		{"rebuilt by two", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Rebuilt = []int{0, 1} })
		}, "2 auditors rebuilt exactly these bytes, 3 needed", true},
		{"rebuilt as something else", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Rebuilt, r.Otherwise = []int{0, 1}, []int{2} })
		}, "got other bytes: Carol Reed (Hudson Co-op, US)", true},
		{"swapped bytes on the only mirror", repotest.Config{}, func(d *device) {
			made := d.publish("1.1.0", "")
			files := d.world.Files()
			bad := append([]byte(nil), made.Artifacts[name]...)
			bad[100] ^= 1
			files[repotest.FilePath("stable/1.1.0/"+name, sha256.Sum256(made.Artifacts[name]))] = bad
			d.sources = []fetch.Source{dirOf(files)}
		}, "these are not the bytes the auditors signed", true},
		{"two auditors signed, and another mirror is away", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Signers = []int{0, 1} })
			d.sources = []fetch.Source{fetch.Dir(os.DirFS("/nonexistent"), "stick"), d.mirror()}
		}, "stable: quorum not reached: 2 of the 5 keys authorised signed (Ana Sousa, Bernd Kraus), 3 needed", true},
		{"an old state served again", repotest.Config{}, func(d *device) {
			old := d.world.Files()
			d.publish("1.1.0", "")
			if _, err := d.updater().Check(context.Background()); err != nil {
				d.t.Fatal(err)
			}
			d.sources = []fetch.Source{dirOf(old)}
		}, "version 2 offered, but version 3 was seen before", true},
		{"expired", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "")
			d.now = d.now.Add(48 * time.Hour)
		}, "timestamp: expired on 2026-11-22T12:00:00Z, now is 2026-11-23T13:00:00Z", false},
		{"another program's file", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Artifacts[name] = append(compiled(d.t, "other"), " 1.1.0"...) })
		}, fmt.Sprintf("the file released as messenger 1.1.0 for %[1]s is other for %[1]s by its own stamp", strings.Replace(platform(), "-", "/", 1)), true},
		{"no program at all", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Artifacts[name] = []byte("#!/bin/sh\nrm -rf /\n") })
		}, "messenger 1.1.0: no Go program: ", true},
		{"a renamed old version", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Artifacts[name] = program(d.t, "1.0.0", "") })
		}, "version 1.1.0 does not work here: it says it is messenger 1.0.0 for", true},
		{"no mirror", repotest.Config{}, func(d *device) {
			d.sources = []fetch.Source{fetch.Dir(os.DirFS(filepath.Join(d.t.TempDir(), "gone")), "stick")}
		}, "no such directory", false},
		{"manifest below its own minimum", repotest.Config{}, func(d *device) {
			d.publish("1.1.0", "", func(r *repotest.Release) { r.Minimum = "1.2.0" })
		}, "minimum version 1.2.0 is above the release itself, 1.1.0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t, c.config)
			if c.name != "two countries only" { // where the running version is not genuine either
				if _, err := d.update(); err != nil {
					t.Fatal(err)
				}
			}
			c.spoil(d)
			r, err := d.update()
			if err == nil || !strings.Contains(err.Error(), c.want) || isRefusal(err) != c.refused {
				t.Fatalf("%+v, refused %v, %v\nwant %v, %q", r, isRefusal(err), err, c.refused, c.want)
			}
			s := d.state()
			if s.Current != "" || s.Trial != nil || r.Installed {
				t.Errorf("something was switched: %+v", s)
			}
			if s.Refused == nil || !strings.Contains(s.Refused.Reason, c.want) || s.Refused.Wrong != c.refused {
				t.Errorf("not remembered: %+v", s.Refused)
			}
			if text := d.about().Text(); !strings.Contains(text, c.want) {
				t.Errorf("about does not say it:\n%s", text)
			}
			if entries, _ := os.ReadDir(filepath.Dir(d.home.Version("1.1.0"))); len(entries) > 0 {
				t.Errorf("left in versions: %v", entries)
			}
		})
	}
}

func dirOf(files map[string][]byte) fetch.Source {
	fsys := fstest.MapFS{}
	for name, b := range files {
		fsys[name] = &fstest.MapFile{Data: b, Mode: 0o444}
	}
	return fetch.Dir(fsys, "bad mirror")
}

// A refused newest version does not hide an older one that is genuine and newer than ours.
func TestRefusedNewestDoesNotHideAGenuineOne(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	d.publish("1.2.0", "", func(r *repotest.Release) { r.Rebuilt = []int{0} })
	r, err := d.update()
	if err != nil || !r.Installed || r.Newest != "1.1.0" {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := d.state(); s.Refused == nil || s.Refused.Version != "1.2.0" {
		t.Errorf("%+v", s.Refused)
	}
	// When the missing statements arrive it is taken, and the refusal is forgotten.
	d.confirm("1.1.0")
	made := d.world.Made("stable", "1.2.0")
	var all [][]byte
	for i := range 3 {
		all = append(all, d.world.Statement(i, made, made.Artifacts))
	}
	d.world.SetEvidence(made.Manifest, all)
	if r, err := d.update(); err != nil || r.Newest != "1.2.0" || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := d.state(); s.Refused != nil {
		t.Errorf("%+v", s.Refused)
	}
}

// TestBrokenProgramIsHeld: genuine, but it does not work here.
func TestBrokenProgramIsHeld(t *testing.T) {
	for behave, want := range map[string]string{
		"probe exits": `version 1.1.0 does not work here: exit status 1: "cannot find my glasses"`,
		"probe hangs": "version 1.1.0 does not work here: it did not answer in time",
		"probe lies":  "version 1.1.0 does not work here: it says it is messenger 9.9.9 for",
		"probe talks": "version 1.1.0 does not work here: its answer is longer than 65536 bytes",
	} {
		t.Run(behave, func(t *testing.T) {
			d := newDevice(t, repotest.Config{})
			d.publish("1.1.0", behave)
			u := d.updater()
			if behave == "probe hangs" {
				u.ProbeWithin = time.Second
			}
			_, err := u.Update(context.Background())
			if err == nil || !strings.Contains(err.Error(), want) || !isRefusal(err) {
				t.Fatal(err)
			}
			s := d.state()
			if s.Current != "" || !strings.Contains(s.Held["1.1.0"].Reason, want) {
				t.Errorf("%+v", s)
			}
			// It is not fetched again, and the person hears why.
			d.events = nil
			r, err := d.update()
			if err != nil || r.Installed || !strings.Contains(r.Held, want) {
				t.Errorf("%+v, %v", r, err)
			}
			for _, e := range d.events {
				if e.Step == update.StepFetch {
					t.Error("fetched again")
				}
			}
			// The next version goes past it.
			d.publish("1.2.0", "")
			d.mustUpdate()
		})
	}
}

// TestSwapBetweenCheckAndInstall: whatever the courier leaves in the download directory, what is judged
// is the open file that is installed.
func TestSwapBetweenCheckAndInstall(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	u := d.updater()
	other := program(t, "1.1.0", "")
	other[len(other)/2] ^= 1
	u.Courier = swapper{u.Courier.(*fetch.Courier), other}
	_, err := u.Update(context.Background())
	if err == nil || !isRefusal(err) || !strings.Contains(err.Error(), "the file has sha256 "+digest(other)+"; the auditors signed ") {
		t.Fatal(err)
	}
	var v *genuine.Error
	if !errors.As(err, &v) || v.Verdict.Outcome != genuine.Refused {
		t.Error("no verdict")
	}
	if s := d.state(); s.Current != "" || len(s.Versions) != 0 || s.Held != nil {
		t.Errorf("%+v", s)
	}
}

// swapper is a local thief: it replaces the file after the courier checked it.
type swapper struct {
	*fetch.Courier
	other []byte
}

func (s swapper) Download(ctx context.Context, path string, length int64, sum [32]byte, partial string, progress func(done, total int64)) error {
	if err := s.Courier.Download(ctx, path, length, sum, partial, progress); err != nil {
		return err
	}
	return os.WriteFile(partial, s.other, 0o600)
}

// A quorum from too few countries signed a newer state. It brings nothing in, and it does not make the
// running version, which the right people signed, look forged either.
func TestNarrowQuorumHasNoSayOverTheRunningVersion(t *testing.T) {
	three := func(i int) (string, string) {
		return fmt.Sprintf("Org %d", i), []string{"PT", "DE", "US", "PT", "DE"}[i]
	}
	d := newDevice(t, repotest.Config{Place: three, Rules: []repotest.Rule{{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 3, Jurisdictions: 3}}})
	d.publish("1.1.0", "")
	d.mustUpdate()
	if a := d.about(); a.Outcome != genuine.Genuine {
		t.Fatalf("%s", a.Text())
	}
	for range 2 { // what is stored at the first refusal must not spoil the second
		d.publish("1.2.0", "", func(r *repotest.Release) { r.Signers = []int{0, 1, 3} })
		if _, err := d.update(); err == nil || !isRefusal(err) || !strings.Contains(err.Error(), "of 2 jurisdictions (DE, PT), 3 needed") {
			t.Fatal(err)
		}
		a := d.about()
		if a.Outcome != genuine.Genuine || a.Version != "1.1.0" || a.Refused == nil {
			t.Fatalf("%s", a.Text())
		}
		d.world.Refresh()
	}
	// With the state expired nobody can tell any more, and it is still no refusal.
	d.now = d.now.Add(48 * time.Hour)
	if a := d.about(); a.Outcome != genuine.Unknown {
		t.Errorf("%s", a.Text())
	}
}
