package update_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

func (d *device) pin(version string) (update.Result, error) {
	d.t.Helper()
	return d.updater().Pin(context.Background(), version)
}

func (d *device) set(unpin bool, channel string, automatic bool) {
	d.t.Helper()
	if _, err := update.Set(d.home, unpin, &channel, &automatic); err != nil {
		d.t.Fatal(err)
	}
}

func TestPinStaysAndUnpinGoesOn(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	if r, err := d.pin(update.Current); err != nil || r.Installed || r.Pinned != "1.0.0" {
		t.Fatalf("%+v, %v", r, err)
	}
	r, err := d.update()
	if err != nil || r.Installed || r.Newest != "1.1.0" || r.Pinned != "1.0.0" {
		t.Fatalf("%+v, %v", r, err)
	}
	if text := d.about().Text(); !strings.Contains(text, "pinned to 1.0.0: it stays until you say 'messenger update --unpin'") {
		t.Error(text)
	}
	d.set(true, "stable", true)
	d.mustUpdate()
}

// TestPinGoesBack: a person may go back to an older genuine version, installed or not, and nobody else.
func TestPinGoesBack(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	for _, v := range []string{"1.1.0", "1.2.0", "1.3.0"} {
		d.publish(v, "")
		if v != "1.1.0" { // 1.1.0 is never installed here
			d.mustUpdate()
		}
	}
	// To one that lies here, without network.
	d.sources = []fetch.Source{fetch.Dir(os.DirFS("/nonexistent"), "no network")}
	if r, err := d.pin("1.2.0"); err != nil || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	s := d.state()
	if s.Current != "1.2.0" || s.LastGood != "1.3.0" || s.Pinned != "1.2.0" || s.Trial == nil {
		t.Fatalf("%+v", s)
	}
	d.confirm("1.2.0")
	// To one that must be fetched.
	if _, err := d.pin("1.1.0"); err == nil || isRefusal(err) {
		t.Fatal(err)
	}
	d.sources = nil
	if r, err := d.pin("1.1.0"); err != nil || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	d.confirm("1.1.0")
	// To the base.
	if r, err := d.pin("1.0.0"); err != nil || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := d.state(); s.Current != "" || s.Pinned != "1.0.0" || s.Choose("1.0.0") != "" {
		t.Errorf("%+v", s)
	}
	d.version = "1.0.0"
	// To one that does not exist.
	if _, err := d.pin("1.9.0"); !errors.Is(err, trust.ErrNoTarget) || !strings.Contains(err.Error(), "there are [1.0.0 1.1.0 1.2.0 1.3.0]") {
		t.Error(err)
	}
	if _, err := d.pin("../../bin"); err == nil || err.Error() != `"../../bin" is not a version such as 1.4.0` {
		t.Error(err)
	}
	if s := d.state(); s.Pinned != "1.0.0" {
		t.Errorf("a pin that failed was kept: %+v", s)
	}
}

// A file that lies here and is no longer what was installed is fetched again instead of being started.
func TestPinToADamagedVersionFetchesIt(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	for _, v := range []string{"1.1.0", "1.2.0"} {
		d.publish(v, "")
		d.mustUpdate()
	}
	path := d.home.Executable("1.1.0")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r, err := d.pin("1.1.0"); err != nil || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := d.home.Verify("1.1.0", d.state().Versions["1.1.0"]); err != nil {
		t.Error(err)
	}
}

func TestNeverBelowTheSignedMinimum(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	for _, v := range []string{"1.1.0", "1.2.0"} {
		d.publish(v, "")
		d.mustUpdate()
	}
	d.publish("1.3.0", "", func(r *repotest.Release) { r.Minimum = "1.2.0" })
	d.mustUpdate()
	if s := d.state(); s.Floor != "1.2.0" {
		t.Fatalf("%+v", s)
	}
	for _, v := range []string{"1.1.0", "1.0.0"} {
		_, err := d.pin(v)
		if err == nil || !isRefusal(err) || err.Error() != "version "+v+" is below 1.2.0, the signed minimum: it may not be used any more" {
			t.Error(err)
		}
	}
	if r, err := d.pin("1.2.0"); err != nil || !r.Installed {
		t.Errorf("%+v, %v", r, err)
	}
	if text := d.about().Text(); !strings.Contains(text, "signed minimum: 1.2.0") {
		t.Error(text)
	}
	// The base of this device is below it. Should it ever run again, it says so.
	d.version = "1.0.0"
	if text := d.about().Text(); !strings.Contains(text, "ALARM: this version is below the signed minimum 1.2.0; run 'messenger update'") {
		t.Error(text)
	}
}

// A hold ends where a person asks for the version by name.
func TestPinLiftsAHold(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	if _, err := d.home.Change(func(s *home.State) error { s.Hold("1.1.0", "it was slow", d.now); return nil }); err != nil {
		t.Fatal(err)
	}
	if r, err := d.update(); err != nil || r.Installed || r.Held != "1.1.0 is held since 2026-11-21 13:00 UTC: it was slow" {
		t.Fatalf("%+v, %v", r, err)
	}
	if text := d.about().Text(); !strings.Contains(text, "held: 1.1.0, it was slow") {
		t.Error(text)
	}
	if r, err := d.pin("1.1.0"); err != nil || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := d.state(); len(s.Held) != 0 || s.Pinned != "1.1.0" {
		t.Errorf("%+v", s)
	}
}

func TestChannels(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	beta := func(r *repotest.Release) { r.Channel, r.Signers = "beta", []int{4} }
	d.publish("1.1.0-rc.1", "", beta)
	if r, err := d.update(); err != nil || r.Newest != "" {
		t.Fatalf("stable is offered beta: %+v, %v", r, err)
	}
	d.set(false, "beta", true)
	r, err := d.update()
	if err != nil || r.Newest != "1.1.0-rc.1" || r.Channel != "beta" {
		t.Fatalf("%+v, %v", r, err)
	}
	d.confirm("1.1.0-rc.1")
	text := d.about().Text()
	for _, want := range []string{"genuine: countersigned by Elena Prado (Rio Aberto, BR)\n", "channel beta (not stable: fewer auditors vouch for it)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// Whoever follows beta gets what is newer in stable.
	d.publish("1.1.0", "")
	if r, err := d.update(); err != nil || r.Newest != "1.1.0" || r.Channel != "stable" {
		t.Fatalf("%+v, %v", r, err)
	}
	d.confirm("1.1.0")
	// One bad channel does not keep the other away.
	d.publish("1.2.0", "")
	d.publish("1.3.0-rc.1", "", beta, func(r *repotest.Release) { r.Signers = []int{} })
	r, err = d.update()
	if err != nil || r.Newest != "1.2.0" || !r.Installed {
		t.Fatalf("%+v, %v", r, err)
	}
	if !slices.ContainsFunc(d.events, func(e update.Event) bool { return strings.Contains(e.Text, "beta: quorum not reached") }) {
		t.Error("nobody heard of the bad channel")
	}
}

// stick is an update bundle as a person carries it: a tar of the mirror's directory.
func (d *device) stick() fetch.Source {
	d.t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range d.world.Files() {
		if err := w.WriteHeader(&tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
			d.t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		d.t.Fatal(err)
	}
	fsys, err := fetch.Tar(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		d.t.Fatal(err)
	}
	return fetch.Dir(fsys, "stick")
}

func TestBundle(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	d.publish("1.1.0", "")
	d.sources = []fetch.Source{d.stick()}
	d.mustUpdate()
	// An old stick: nobody can say whether it is the newest state.
	d.publish("1.2.0", "")
	d.sources, d.now = []fetch.Source{d.stick()}, d.now.AddDate(0, 1, 0)
	var expired *trust.ExpiredError
	if _, err := d.update(); !errors.As(err, &expired) || isRefusal(err) {
		t.Fatal(err)
	}
	u := d.updater()
	u.AcceptStale = true
	if r, err := u.Update(context.Background()); err != nil || !r.Installed || r.Newest != "1.2.0" {
		t.Fatalf("%+v, %v", r, err)
	}
	d.confirm("1.2.0")
	if b := d.about(); b.Outcome != genuine.Unknown || b.Freshness.Stage != update.StageWarning {
		t.Errorf("%v %+v", b.Outcome, b.Freshness)
	}
	// Stale is forgiven; wrong is not.
	d.publish("1.3.0", "", func(r *repotest.Release) { r.Rebuilt = []int{0} })
	d.sources = []fetch.Source{d.stick()}
	u = d.updater()
	u.AcceptStale = true
	if _, err := u.Update(context.Background()); err == nil || !isRefusal(err) || !strings.Contains(err.Error(), "1 auditors rebuilt exactly these bytes, 3 needed") {
		t.Error(err)
	}
}

func TestStages(t *testing.T) {
	d := newDevice(t, repotest.Config{})
	if got := update.Fresh(d.anchor(), d.home, "stable", d.now); got.Stage != update.StageNever {
		t.Errorf("%+v", got)
	}
	if _, err := d.update(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		days  int
		stage update.Stage
		text  string
	}{
		{0, update.StageFresh, ""},
		{2, update.StageNotice, "timestamp expired on 2026-11-22 12:00 UTC; nobody has confirmed since that this is the newest version"},
		{8, update.StageWarning, "snapshot expired on 2026-11-28 12:00 UTC; nobody has confirmed since that this is the newest version"},
		{91, update.StageAlarm, "stable expired on 2027-02-19 12:00 UTC; nobody has confirmed since that this is the newest version"},
		{-400, update.StageAlarm, "the clock of this computer is wrong: it says 2025-10-17 13:00 UTC, but the auditors signed on 2026-11-21 12:00 UTC"},
	} {
		got := update.Fresh(d.anchor(), d.home, "stable", d.now.Add(time.Duration(c.days)*24*time.Hour))
		if got.Stage != c.stage || got.Text != c.text {
			t.Errorf("%d days: %+v", c.days, got)
		}
	}
}
