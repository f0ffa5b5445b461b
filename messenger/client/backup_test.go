package client_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/session"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Alice's computer is lost. With the file and the words she is back: the same person to everybody, with what was said.
func TestBackupAndRestore(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	knows(alice, bob)
	ctx := t.Context()
	id := alice.founds("friends", bob, carol)
	alice.says(id, "all of you")
	bob.sees(id, "[group]", "all of you")
	carol.sees(id, "[group]", "all of you") // what still waits to be sent is not in a backup
	s, err := alice.acc.Safety(ctx, bob.number)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.SetVerified(ctx, s, true); err != nil {
		t.Fatal(err)
	}
	if err := alice.acc.SetName(ctx, bob.number, "Bob"); err != nil {
		t.Fatal(err)
	}
	seed, err := archive.NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	n, err := alice.acc.Backup(ctx, &file, seed)
	if err != nil || n < 4 {
		t.Fatal(n, err)
	}
	for _, secret := range []string{"all of you", "Bob", bob.number} {
		if bytes.Contains(file.Bytes(), []byte(secret)) {
			t.Errorf("the file holds %q", secret)
		}
	}
	alice.close()
	bob.state(bob.says(alice.number, "sent while she had nothing"), history.Sent)

	again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
	words, err := archive.ParseWords(seed.Words())
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"cut off": file.Bytes()[:file.Len()-20], "changed": append(bytes.Clone(file.Bytes()[:file.Len()-1]), file.Bytes()[file.Len()-1]^1)} {
		if _, _, err := client.Restore(ctx, w.options(again), []byte("passphrase"), bytes.NewReader(bad), words); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := client.Restore(ctx, w.options(again), []byte("passphrase"), bytes.NewReader(file.Bytes()), archive.Seed{1}); !errors.Is(err, archive.ErrWords) {
		t.Error(err)
	}
	acc, m, err := client.Restore(ctx, w.options(again), []byte("passphrase"), bytes.NewReader(file.Bytes()), words)
	if err != nil || m != n {
		t.Fatal(m, n, err)
	}
	again.use(acc)
	if again.number != alice.number {
		t.Error(again.number)
	}
	again.online()
	k, err := again.acc.Contact(ctx, bob.number)
	if err != nil || k.Name != "Bob" || k.Trust != session.Verified {
		t.Errorf("%+v, %v", k, err)
	}
	got := strings.Join(again.conversation(bob.number), "|")
	if !strings.HasPrefix(got, "hello|hello back") {
		t.Error(got)
	}
	// What was on its way could not be read with the new installation's keys, and comes again.
	again.waitFor("Bob's message", func() bool {
		return strings.HasSuffix(strings.Join(again.conversation(bob.number), "|"), "sent while she had nothing")
	})
	// She goes on, in conversation and group; nobody sees a changed key, and nobody reports anything missing.
	again.says(bob.number, "I am back")
	bob.waitFor("her word", func() bool { return strings.HasSuffix(strings.Join(bob.conversation(again.number), "|"), "I am back") })
	again.says(id, "back here, too")
	carol.sees(id, "[group]", "all of you", "back here, too")
	bob.state(bob.says(alice.number, "welcome"), history.Delivered)
	if got := strings.Join(bob.conversation(alice.number), "|"); strings.Contains(got, "key-changed") {
		t.Error(got)
	}
}

// Several messages waited for the telephone that was lost; none could be read by the restored one, and all come again.
func TestAllThatWaitedComesAgain(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	file, seed := alice.backup()
	alice.close()
	want := []string{"one", "two", "three", "four", "five"}
	for _, text := range want {
		bob.state(bob.says(alice.number, text), history.Sent)
	}
	again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
	acc, _, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), bytes.NewReader(file), seed)
	if err != nil {
		t.Fatal(err)
	}
	again.use(acc)
	again.online()
	again.waitFor("all five", func() bool {
		got := again.conversation(bob.number)
		for _, text := range want {
			if !slices.Contains(got, text) {
				return false
			}
		}
		return true
	})
}

// Who is sent what nobody can read asks for it a hundred times, and no more.
func TestAFloodOfWhatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	bob.offline()
	w.stop() // time gives back what was used up
	asked := func() int {
		n, err := bob.acc.Queued(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, at := asked(), uint64(w.now().UnixMilli())
	for i := range uint64(130) {
		bob.forged(bob, wire.Envelope{Type: wire.EnvelopeSenderKey, Source: alice.number, SourceDevice: 1, Timestamp: at + i, Content: append([]byte{0x33}, make([]byte, 100)...)})
	}
	if n := asked() - before; n != 100 {
		t.Errorf("asked %d times", n)
	}
	w.skew.Add(int64(time.Hour))
	bob.forged(bob, wire.Envelope{Type: wire.EnvelopeSenderKey, Source: alice.number, SourceDevice: 1, Timestamp: at + 1000, Content: append([]byte{0x33}, make([]byte, 100)...)})
	if n := asked() - before; n != 101 {
		t.Errorf("an hour later: asked %d times", n)
	}
}

func TestHistoryForALaptop(t *testing.T) {
	w := newWorld(t)
	alice, phone := w.person("alice"), w.person("bob's phone")
	knows(alice, phone)
	laptop := phone.link("bob's laptop", false)
	seed, _ := archive.NewSeed(rand.Reader)
	var file bytes.Buffer
	if _, err := phone.acc.Backup(t.Context(), &file, seed); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time adds nothing
		if _, err := laptop.acc.TakeHistory(t.Context(), bytes.NewReader(file.Bytes()), seed); err != nil {
			t.Fatal(err)
		}
		laptop.sees(alice.number, "hello", "hello back")
	}
	if _, err := alice.acc.TakeHistory(t.Context(), bytes.NewReader(file.Bytes()), seed); err == nil || err.Error() != "the backup is of "+phone.number+", and this account is "+alice.number {
		t.Error(err)
	}
	alice.says(phone.number, "and on")
	laptop.sees(alice.number, "hello", "hello back", "and on")
}

// lost closes a first device and brings it back from a backup.
func (d *device) lost() *device {
	d.Helper()
	file, seed := d.backup()
	d.close()
	again := &device{world: d.world, name: d.name + " again", dir: filepath.Join(d.TempDir(), "again"), log: new(logBook)}
	acc, _, err := client.Restore(d.Context(), d.options(again), []byte("passphrase"), bytes.NewReader(file), seed)
	if err != nil {
		d.Fatal(err)
	}
	again.use(acc)
	again.online()
	return again
}

func (d *device) backup() ([]byte, archive.Seed) {
	d.Helper()
	seed, err := archive.NewSeed(rand.Reader)
	if err != nil {
		d.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := d.acc.Backup(d.Context(), &file, seed); err != nil {
		d.Fatal(err)
	}
	return file.Bytes(), seed
}

func (d *device) hears(from, text string) {
	d.Helper()
	d.waitFor(d.name+" to hear "+text, func() bool { return strings.HasSuffix(strings.Join(d.conversation(from), "|"), text) })
}

// The phone is lost and restored; the laptop goes on as it was, and is no ghost to anybody. It is so for one linked after the backup, too.
func TestLaptopsOutliveARestore(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	laptop := alice.link("laptop", false)
	file, seed := alice.backup()
	later := alice.link("tablet", false)
	alice.close()
	again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
	acc, _, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), bytes.NewReader(file), seed)
	if err != nil {
		t.Fatal(err)
	}
	again.use(acc)
	again.online()
	bob.says(alice.number, "two")
	for _, d := range []*device{again, laptop, later} {
		d.hears(bob.number, "two")
	}
	laptop.says(bob.number, "from the laptop")
	bob.hears(alice.number, "from the laptop")
	again.hears(bob.number, "from the laptop")
	if got := strings.Join(bob.conversation(alice.number), "|"); strings.Contains(got, "ghost-device") {
		t.Error(got)
	}
}

// A restored account has no sessions, and still knows what its contacts can: the first bundle cannot be stripped.
func TestServerStripsPostQuantumKeysAfterARestore(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	again := alice.lost()
	w.rewrite(bob.number, func(b *api.BundlesV3) {
		for i := range b.Devices {
			b.Devices[i].PQPreKey, b.Devices[i].Capabilities = nil, api.Capabilities{}
		}
	})
	d := again.state(again.says(bob.number, "the secret"), history.Failed)
	if want := "device 1 of " + bob.number + ": protocol downgrade: v3, and this contact is known to speak v4+SPQR"; d.Why != want {
		t.Errorf("got %q", d.Why)
	}
}

// breaks is a file that can be read through once, and then fails after some bytes.
type breaks struct {
	*bytes.Reader
	again bool
	left  int
}

func (b *breaks) Seek(offset int64, whence int) (int64, error) {
	b.again = true
	return b.Reader.Seek(offset, whence)
}

func (b *breaks) Read(p []byte) (int, error) {
	if !b.again {
		return b.Reader.Read(p)
	}
	if b.left == 0 {
		return 0, errors.New("the disk is broken")
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func TestARestoreThatFailsLeavesNothing(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	for range 60 {
		alice.says(bob.number, strings.Repeat("a long text ", 150))
	}
	file, seed := alice.backup()
	alice.close()
	again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
	if _, _, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), &breaks{Reader: bytes.NewReader(file), left: 70_000}, seed); err == nil || !strings.Contains(err.Error(), "the disk is broken") {
		t.Fatal(err)
	}
	if store.Exists(again.dir) {
		t.Error("a part of an account is left")
	}
	acc, _, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), bytes.NewReader(file), seed)
	if err != nil {
		t.Fatal(err)
	}
	again.use(acc)
}

// A restore that the power cut off is no account, and is done again from the beginning; an account that is whole is never touched.
func TestARestoreThatWasCutOff(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	ctx := t.Context()
	file, seed := alice.backup()
	restore := func(d *device) (*client.Account, error) {
		acc, _, err := client.Restore(ctx, w.options(d), []byte("passphrase"), bytes.NewReader(file), seed)
		return acc, err
	}
	if _, err := restore(alice); !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	alice.reopen()
	alice.close()
	again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
	acc, err := restore(again)
	if err != nil {
		t.Fatal(err)
	}
	again.use(acc)
	again.close()

	// As it would lie there: a store, and the mark that it is not whole.
	mark := filepath.Join(again.dir, "restoring")
	if _, err := os.Lstat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the mark outlives a restore:", err)
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Open(ctx, w.options(again), []byte("passphrase")); !errors.Is(err, client.ErrHalf) {
		t.Fatalf("half an account opens: %v", err)
	}
	if acc, err = restore(again); err != nil {
		t.Fatal(err)
	}
	again.use(acc)
	again.reopen()
}

// asForm1 writes a backup as it was written before: messages the newest first.
func asForm1(t *testing.T, file []byte, seed archive.Seed) []byte {
	t.Helper()
	r, err := archive.NewReader(bytes.NewReader(file), seed)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, seed, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	lines := bufio.NewScanner(r)
	for n := 0; lines.Scan(); n++ {
		b := append(bytes.Clone(lines.Bytes()), '\n')
		switch {
		case n == 0 && bytes.HasPrefix(b, []byte(`{"version":2,`)):
			b[len(`{"version":`)] = '1'
		case n == 0:
			t.Fatalf("%.40s", b)
		case bytes.HasPrefix(b, []byte(`{"message":`)):
			messages = append(messages, b)
			continue
		case bytes.HasPrefix(b, []byte(`{"end":`)):
			slices.Reverse(messages)
			b = append(bytes.Join(messages, nil), b...)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(lines.Err(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A backup of either form brings back the same, in the same order, over many transactions.
func TestBackupsOfBothForms(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	knows(alice, bob)
	if err := client.FillForTest(t.Context(), alice.acc, bob.number, 2_345); err != nil {
		t.Fatal(err)
	}
	want := alice.conversation(bob.number)
	file, seed := alice.backup()
	alice.close()
	for form, b := range map[int][]byte{1: asForm1(t, file, seed), 2: file} {
		again := &device{world: w, name: "alice again", dir: filepath.Join(t.TempDir(), "again"), log: new(logBook)}
		acc, n, err := client.Restore(t.Context(), w.options(again), []byte("passphrase"), bytes.NewReader(b), seed)
		if err != nil {
			t.Fatal(form, err)
		}
		again.use(acc)
		if got := again.conversation(bob.number); n < 2_347 || !slices.Equal(got, want) {
			t.Errorf("form %d: %d messages, the conversation %.100q, want %.100q", form, n, got, want)
		}
		again.close()
	}
}

func TestABackupOfAnUnknownForm(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	file, seed := alice.backup()
	b := asForm1(t, file, seed)
	for form, want := range map[string]string{"0": "a backup of form 0, this program knows 1 to 2", "9": "a backup of form 9, this program knows 1 to 2"} {
		r, _ := archive.NewReader(bytes.NewReader(b), seed)
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		aw, _ := archive.NewWriter(&out, seed, rand.Reader)
		_, _ = aw.Write(bytes.Replace(plain, []byte(`{"version":1,`), []byte(`{"version":`+form+`,`), 1))
		_ = aw.Close()
		if _, err := alice.acc.TakeHistory(t.Context(), bytes.NewReader(out.Bytes()), seed); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
}
