package engine

import (
	"path/filepath"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// A promise of package store, and the test that an engine keeps it.
type promise struct {
	name string
	test func(t *testing.T, w *world)
}

// world is one empty database.
type world struct {
	store.Store
	url string
}

// conformance is the one suite; it runs against every engine.
var conformance = []promise{
	{"register", testRegister},
	{"take over", testTakeOver},
	{"account fields", testAccountFields},
	{"rename", testRename},
	{"delete account", testDeleteAccount},
	{"directory", testDirectory},
	{"codes", testCodes},
	{"code brute force", testCodeBruteForce},
	{"invites", testInvites},
	{"invite race", testInviteRace},
	{"register race", testRegisterRace},
	{"devices", testDevices},
	{"device race", testDeviceRace},
	{"seen by day", testSeen},
	{"keys", testKeys},
	{"keys are taken once", testTakeOnce},
	{"queue", testQueue},
	{"queue model", testQueueModel},
	{"queue bounds", testQueueBounds},
	{"page size", testPageSize},
	{"failed deliveries", testFailed},
	{"presence", testPresence},
	{"attachments", testAttachments},
	{"sweep", testSweep},
	{"many writers", testManyWriters},
	{"many readers", testManyReaders},
	{"newer schema", testNewerSchema},
	{"closed", testClosed},
}

func TestSQLite(t *testing.T) {
	run(t, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "store.db") })
}

func TestPostgres(t *testing.T) {
	pg := peer.StartPostgres(t)
	run(t, func(*testing.T) string { return pg.Database() })
}

func run(t *testing.T, database func(t *testing.T) string) {
	for _, p := range conformance {
		t.Run(p.name, func(t *testing.T) {
			url := database(t)
			w := &world{open(t, url), url}
			t.Cleanup(func() { _ = w.Close() }) // a test may have closed it
			p.test(t, w)
		})
	}
}

func open(t testing.TB, url string) store.Store {
	t.Helper()
	s, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reopen closes the store and opens it again: what was answered must be there.
func (w *world) reopen(t *testing.T) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Store = open(t, w.url)
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// register makes an account with a master device.
func register(t testing.TB, s store.Store, name string) (store.Account, store.DeviceKey) {
	t.Helper()
	a, _, err := s.Register(t.Context(), store.Registration{
		Name: name, Secret: []byte("hash of " + name), Now: now,
		Attributes: store.Attributes{RegistrationID: 1234, FetchesMessages: true, SignalingKey: make([]byte, 52)},
	})
	check(t, err)
	return a, a.Devices[0].Key
}
