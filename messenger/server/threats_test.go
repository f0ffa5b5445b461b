package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The attacks on the messenger that its server answers, and the tests that show it. Rows and words are those of the project's table of
// threats; what clients answer (forged identities, ghost devices, replays, receipts nobody sent) is shown where they live.
var threats = []struct {
	attack, answer string
	shown          []string // directory below messenger/server, or cmd/messengerd, and the test
}{
	{"account take-over: code guessing", "limits, code expiry, ten tries that all servers of a cluster count together",
		[]string{". TestGuessingCodesStops", ". TestRegister", ". TestRequestCode", "messengerd TestFloods"}},
	{"account take-over: re-registration", "the lock; other devices and queues go, so nothing of the old account is read",
		[]string{". TestRegistrationLock", ". TestRegisterAgain"}},
	{"account take-over: password guessing", "limits per source and number", []string{". TestWrongPasswordsAreSlowedDown"}},
	{"provisioning by a bystander, stale or replayed address", "single use, short life",
		[]string{". TestProvisioning", ". TestDeviceCodes"}},
	{"flood: messages", "limits per pair, bounds of queues, bytes in hand per account",
		[]string{"messengerd TestFloods", ". TestSendRefusals", ". TestFullQueue", "endpoint TestInHand"}},
	{"flood: prekey draining", "limits per pair of devices, last-resort keys",
		[]string{"messengerd TestFloods", ". TestDrainingPrekeysIsSlow", ". TestKeysV2"}},
	{"flood: registrations", "limits per source and number, invites", []string{"messengerd TestFloods", ". TestInvites", ". TestRequestCode"}},
	{"flood: websocket frames", "caps of frames and queues, budget of requests",
		[]string{"messengerd TestFloods", "socket TestHostile", "socket TestFullInbox", "socket TestInboxOfLargeRequests", ". TestSpecification", ". TestFloodOfNewcomers", ". TestTooManyWebsockets"}},
	{"flood: slow clients", "idle limits, deadlines, bounded outbox",
		[]string{"messengerd TestFloods", "messengerd TestHostileHTTP", "socket TestSlowReaderIsCut", "socket TestHostile"}},
	{"flood: attachments", "caps, disk bound, limits, expiry", []string{". TestTooLargeUploads", "attach TestBounds", "attach TestNothingReferredToIsRemoved"}},
	{"store of objects that lies, hangs or is away", "bounds on answers, signatures for one host; messages go without it",
		[]string{"attach/s3 TestHostileStore", "attach TestObjectsAway", "attach TestRemovalMeetsUpload", "messengerd TestAttachmentsInABucket"}},
	{"strangers use up what an ACME authority allows", "asked ahead, with pauses; never because of a client",
		[]string{"messengerd TestAuthorityIsAskedSeldom", "messengerd TestACMERefusals"}},
	{"memory used up by many names for limits", "buckets are bounded", []string{"limit TestMemoryIsBounded"}},
	{"one-time prekey given twice", "deletion in the same transaction", []string{". TestNoPrekeyTwice", "store/engine TestKillSQLite", "store/engine TestKillPostgres"}},
	{"acknowledged message lost: kill -9", "durable before answering", []string{"messengerd TestKillUnderLoad", "store/engine TestKillSQLite", "store/engine TestKillPostgres"}},
	{"acknowledged message lost: database full or away", "the sender is told", []string{"messengerd TestDiskFull", "messengerd TestDatabaseDownAndBack", "store/engine TestDiskFull", "store/engine TestPostgresDownAndBack"}},
	{"acknowledged message lost: node killed or frozen, bus away", "commit, then read; breaker; belt", []string{"messengerd TestCluster", "deliver TestHopping", "deliver TestNaiveStrands", "route TestBreaker"}},
	{"acknowledged message lost: update", "drain", []string{"messengerd TestDrainUnderLoad", "messengerd TestOldVersionComesBack", ". TestDrainLosesNothing"}},
	{"poisoned envelope blocks a queue", "dropped after ten deliveries", []string{"deliver TestPoison"}},
	{"enumeration of names", "limits per account", []string{". TestDirectoryAndProfile", ". TestUsernames"}},
	{"addresses in logs and metrics", "they are never handed over", []string{"messengerd TestQuiet"}},
}

// Every test the table names is there.
func TestThreatsAreShown(t *testing.T) {
	for _, row := range threats {
		for _, one := range row.shown {
			dir, name, _ := strings.Cut(one, " ")
			if dir == "messengerd" {
				dir = "../../cmd/messengerd"
			}
			if !declares(t, dir, name) {
				t.Errorf("%s: no test %s in %s", row.attack, name, dir)
			}
		}
	}
}

func declares(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func ` + test + `\(t \*testing\.T\)`).Match(b) {
			return true
		}
	}
	return false
}
