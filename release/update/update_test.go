package update_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

func TestUpdateInstallsTheNewestGenuineVersion(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	d.publish("1.2.0", "")
	r, err := d.update()
	if err != nil || !r.Installed || r.Newest != "1.2.0" || r.Channel != "stable" || r.Notes != "Release 1.2.0" {
		t.Fatalf("%+v, %v", r, err)
	}
	s := d.state()
	if s.Current != "1.2.0" || s.Trial == nil || s.Trial.Version != "1.2.0" || s.LastGood != "" {
		t.Fatalf("%+v", s)
	}
	if info, err := os.Stat(d.home.Executable("1.2.0")); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatal(info, err)
	}
	var steps []string
	for _, e := range d.events {
		if len(steps) == 0 || steps[len(steps)-1] != string(e.Step) {
			steps = append(steps, string(e.Step))
		}
	}
	if got := strings.Join(steps, " "); got != "check judge fetch stage probe switch" {
		t.Error(got)
	}
	for _, dir := range []string{d.home.Downloads(), d.home.Staging("1.2.0")} {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s: %v left behind", dir, entries)
		}
	}
}

func TestNothingNewChangesNothing(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	d.mustUpdate()
	before := d.state()
	r, err := d.update()
	if err != nil || r.Installed || r.Newest != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	after := d.state()
	if after.Current != before.Current || after.Trial != nil || after.Refused != nil {
		t.Errorf("%+v", after)
	}
}

func TestCheckInstallsNothing(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	r, err := d.updater().Check(context.Background())
	if err != nil || r.Installed || r.Newest != "1.1.0" || r.Verdict == nil || r.Verdict.Outcome != genuine.Genuine {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := d.state(); s.Current != "" || len(s.Versions) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAboutNamesWhoVouches(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	if got := d.about().Text(); !strings.Contains(got, "could not tell: never checked; run 'messenger update --check'") {
		t.Error(got)
	}
	// A first start: the base judges itself at its first check.
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	const who = "Ana Sousa (Tejo Labs, PT), Bernd Kraus (Spree Verein, DE), Carol Reed (Hudson Co-op, US)"
	for _, version := range []string{"1.0.0", "1.1.0"} {
		text := d.about().Text()
		for _, want := range []string{
			"you are running messenger " + version + " (",
			"genuine: countersigned by " + who + "\n",
			"rebuilt from source commit c0ffee00c0ff by " + who + "\n",
			"last checked: 2026-11-21 13:00 UTC\n",
			"automatic updates: on, channel stable\n",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", version, want, text)
			}
		}
		d.publish("1.1.0", "")
		if version == "1.0.0" {
			d.mustUpdate()
		}
	}
	// The evidence of 1.1.0 is of the day it was installed. Later metadata does not make it a replay.
	d.publish("1.2.0", "")
	if _, err := d.updater().Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	if b := d.about(); b.Outcome != genuine.Genuine {
		t.Error(b.Text())
	}
}

func TestAboutSaysWhatIsNotGenuine(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(d.base, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(" "); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b := d.about()
	if b.Outcome != genuine.Refused || !strings.Contains(b.Text(), "refused: the file has sha256 ") || !strings.Contains(b.Text(), "(reason 1, quorum)") {
		t.Error(b.Text())
	}
	// A version nobody released.
	d = newDevice(t, repotest.Config{})
	d.version = "1.0.0"
	u := d.updater()
	u.Running.Version = "0.9.9"
	if _, err := u.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	b = update.Describe(d.anchor(), nil, d.home, u.Running, d.now)
	if b.Outcome != genuine.Unknown || !strings.Contains(b.Text(), "could not tell: the distribution names no version 0.9.9") {
		t.Error(b.Text())
	}
}

func TestTwoUpdaters(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	if err := d.home.Prepare(); err != nil {
		t.Fatal(err)
	}
	unlock, err := d.home.LockUpdate()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // it tries for a while
		if _, err := d.update(); err != update.ErrBusy {
			t.Errorf("%v", err)
		}
	})
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	d.mustUpdate()
}

func TestLeftOversOfACrashAreNoObstacle(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	made := d.publish("1.1.0", "")
	if err := d.home.Prepare(); err != nil {
		t.Fatal(err)
	}
	// Half a staging directory, a finished directory that no state knows, half a download, and another's.
	write(t, filepath.Join(d.home.Staging("1.1.0"), fileName()), []byte("half"), 0o700)
	write(t, filepath.Join(d.home.Version("1.1.0"), fileName()), []byte("who made this"), 0o700)
	artifact := made.Artifacts[platform()+"/"+fileName()]
	write(t, filepath.Join(d.home.Downloads(), digest(artifact)), artifact[:len(artifact)/2], 0o600)
	write(t, filepath.Join(d.home.Downloads(), "0000"), []byte("of an older version"), 0o600)
	d.mustUpdate()
	if b, err := os.ReadFile(d.home.Executable("1.1.0")); err != nil || digest(b) != digest(artifact) {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(d.home.Downloads()); len(entries) > 0 {
		t.Errorf("%v left", entries)
	}
	for _, e := range d.events {
		if e.Step == update.StepFetch && e.Done > 0 {
			if e.Done < int64(len(artifact)/2) {
				t.Errorf("the download began again at %d", e.Done)
			}
			break
		}
	}
}
