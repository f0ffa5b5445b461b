package client_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// threats are the attacks on the messenger that its client and the pure packages below it answer. Rows and words are those of the project's table
// of threats; what the server answers is listed beside it. Not here, because there is no such program yet: a silent downgrade to SMS.
func threats() []threat {
	return []threat{
		{"server swaps an identity key", "notice, no automatic sending to a changed key of a verified contact, asked for again before it is compared",
			". TestServerSwapsAKey, . TestServerSwapsAKeyOfAVerifiedContact, . TestAKeyIsSwappedForANewDevice, . TestDevicesAreShownDifferentKeys, . TestVerifying, session TestAKeyThatChanges, session TestAChangeIsNoticedWhereItComesFirst, ratchet TestChangedIdentityIsRefusedBeforeAnythingChanges"},
		{"server hands out a key of its own at the first contact", "the word of a verified contact, held against the key before anything is sent",
			". TestAGhostKeyIsCaughtByAnIntroduction, . TestAGhostKeyThatIsThereAlready, . TestComparingAKeyInDoubt"},
		{"introduction forged, replayed, passed on to another, flooded", "signed over both keys and addresses and the time, by a contact who is verified; limits",
			". TestIntroductionsThatAreRefused, . TestAnIntroductionIsReplayed, . TestAFloodOfIntroductions, introduction TestSignAndOpen, introduction TestDomainIsSeparate, introduction TestOneEncoding"},
		{"server strips post-quantum keys", "remembered, refused", ". TestServerStripsPostQuantumKeys, . TestServerStripsPostQuantumKeysAfterARestore, session TestStrippedPostQuantumKeysAreRefused, ratchet TestServerCannotStripTheKyberKey, handshake TestVersionPolicy"},
		{"server adds a ghost device", "signed device list", ". TestServerAddsAGhostDevice, session TestAGhostDeviceIsRefused"},
		{"forged, replayed, reordered, dropped, duplicated messages", "state commits only after the MAC; consistency notices",
			". TestServerMakesUpMessages, . TestServerCallsAMessageOld, . TestServerRepeatsAndReorders, . TestALostMessageIsAskedFor, . TestUnreadableAmongMany, ratchet TestEveryMutatedByteIsRefused, ratchet TestReflectedMessagesAreRefused, transcript TestServerDropsAMessage, transcript TestServerSwapsMessages"},
		{"different texts to different members, selective delivery", "transcript consistency", ". TestTwoQuestionsOneAnswer, transcript TestTwoQuestionsOneAnswer, transcript TestServerSplitsTheGroup"},
		{"member removed comes back", "tombstones", ". TestMembersComeAndGo, group TestWhoIsRemovedDoesNotComeBack"},
		{"outsider sends into a group", "membership check", ". TestMessagesOfAnUnknownGroup, group TestWhoMayDoWhat, senderkey TestMembersCannotWriteForEachOther"},
		{"same ciphertext opens to two plaintexts", "committing encryption and plaintext hash", "attachment TestOneBlobTwoPlaintexts, transcript TestHashesBindEverything"},
		{"forged delivery receipt from the server", "content receipts only", ". TestServerForgesAReceipt"},
		{"decryption oracle, padding", "one error, MAC first", "ratchet TestMACAndPaddingErrorsAreOne"},
		{"attachment longer than told, wrong digest", "caps, digest before use", "attachment TestVectors, attachment TestEverySizeAroundTheBoundaries, . TestAGroupHasAPicture"},
		{"path in file name", "base name only", ". TestSenderNamesAFile"},
		{"provisioning by a bystander, stale or replayed QR", "number shown and confirmed, short string on both, single use", ". TestLinkingNeedsBothScreens, provision TestIdentityKeysMustBelongTogether, provision TestCodes"},
		{"account take-over: re-registration", "the lock, at the server; a device that is not of the account any more says what has happened and what to do, and stops; contacts see another key", ". TestANumberIsRegisteredAnew, . TestARemovedDeviceStops"},
		{"localhost page attacked from the web", "Host and Origin checks, one-time key, strict policy, no inline script, escaped text",
			"web/interop TestDNSRebinding, web/interop TestRequestsOfOtherSites, web/interop TestFraming, web/interop TestThePageRunsNothingElse, web/interop TestHostileTexts, web TestAKeyWorksOnceAndNotForLong, web TestOnlyTheOneHost"},
		{"other local users", "socket 0600, who connects is asked", "rpc TestAnotherUser, rpc TestWhoMayConnect, web/interop TestAnAddressIsForOneBrowser"},
		{"local store stolen", "encrypted at rest", ". TestNothingOfAnAccountIsReadableOnDisk, store TestNothingIsReadableOnDisk, store TestEntriesCannotBeMoved, store TestPartsOfAnIndexAreSealed"},
		{"stolen state reads the past or, after an exchange, the future", "forward secrecy, healing", "ratchet TestForwardSecrecyAndHealing, senderkey TestLateMembersCannotReadThePast"},
		{"message lost or shown twice by a crash", "one transaction, acknowledged after it", ". TestKilledAgainAndAgain, . TestKilledWhileCatchingUp, . TestFilesAcrossACrash, . TestSentOnce"},
		{"traffic led around the proxy", "everything goes through it, names and updates too", "client/remote TestEverythingGoesThroughTheProxy, ../cmd/updatecmd TestUpdatesGoTheWayTheAccountGoes, ../cmd/updatecmd TestNoUpdateWithoutAWay"},
	}
}

// threat is a row: shown are directories below messenger, or . for this one, each with a test, separated by commas.
type threat struct{ attack, answer, shown string }

// Every test the table names is there.
func TestThreatsAreShown(t *testing.T) {
	for _, row := range threats() {
		for one := range strings.SplitSeq(row.shown, ", ") {
			dir, name, _ := strings.Cut(one, " ")
			if dir == "." {
				dir = "client"
			}
			files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				found = found || regexp.MustCompile(`(?m)^func `+name+`\(t \*testing\.T\)`).Match(b)
			}
			if !found {
				t.Errorf("%s: no test %s in messenger/%s", row.attack, name, dir)
			}
		}
	}
}
