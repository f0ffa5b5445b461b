package client_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/server/api"
)

// Alice has removed her laptop, and restores her telephone from a backup of after that. The server shows her the list of before, or none: it is not taken, and
// she is told. An honest one is taken without a word.
func TestAnOldListOfDevicesAfterARestore(t *testing.T) {
	const rest = " So only this device counts as yours from now on, and nobody writes to the others: look at the list of your devices, and link those again that are yours."
	for name, c := range map[string]struct {
		show func(b *api.BundlesV3, before *api.DeviceList)
		want string
	}{
		"honest": {func(*api.BundlesV3, *api.DeviceList) {}, ""},
		"old": {func(b *api.BundlesV3, before *api.DeviceList) { b.DeviceList = before },
			"The server shows a list of your devices that is older than your backup, of DATE. Perhaps it was put back to an earlier state itself; perhaps somebody wants back in a device that you have removed." + rest},
		"none": {func(b *api.BundlesV3, _ *api.DeviceList) { b.DeviceList = nil }, "The server has lost the list of your devices, or withholds it." + rest},
	} {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		knows(alice, bob)
		laptop := alice.link("laptop", false)
		alice.link("tablet", false)
		var before atomic.Pointer[api.DeviceList]
		w.rewrite(alice.number, func(b *api.BundlesV3) { before.Store(b.DeviceList) })
		carol := w.person("carol")
		carol.says(alice.number, "hello") // fetches it
		alice.hears(carol.number, "hello")
		w.hostile(nil)
		own, err := laptop.acc.Own(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		laptop.stopsAfter(func() error { return alice.acc.RemoveDevice(t.Context(), own.Device) })
		file, seed := alice.backup()
		alice.close()
		w.rewrite(alice.number, func(b *api.BundlesV3) { c.show(b, before.Load()) })
		again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
		acc, _, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), bytes.NewReader(file), seed)
		w.hostile(nil)
		if err != nil {
			t.Fatal(err)
		}
		again.use(acc)
		list, err := acc.Messages(t.Context(), alice.number, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range list {
			if m.Notice == client.NoticeOldList {
				got += m.Body
			}
		}
		got = regexp.MustCompile(`, of \d{4}-\d\d-\d\d \d\d:\d\d UTC\.`).ReplaceAllString(got, ", of DATE.")
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		again.online()
		devices, err := acc.Devices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		signed := ""
		for _, d := range devices {
			if !d.This {
				signed += fmt.Sprint(d.Name, " ", d.Signed)
			}
		}
		if want := fmt.Sprint("tablet ", c.want == ""); signed != want {
			t.Errorf("%s: %q, want %q", name, signed, want)
		}
	}
}
