package fetch

import (
	"maps"
	"regexp"
	"testing"
	"testing/synctest"

	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

// TestRefreshThroughOneBadMirror runs the real client: each fault, on every file of a refresh, and on
// only one of them at a time. A refresh with one honest mirror must always succeed.
func TestRefreshThroughOneBadMirror(t *testing.T) {
	w := repotest.New(t, 5, 3)
	old := w.Files()
	w.PublishRoot(w.Layout)
	w.Release("1.0.0", map[string][]byte{"linux-amd64/messenger": []byte("program")})
	only := map[string]*regexp.Regexp{
		"everything": regexp.MustCompile(`.`), "root": regexp.MustCompile(`root\.json$`), "timestamp": regexp.MustCompile(`timestamp`),
		"channel": regexp.MustCompile(`stable`), // targets and snapshot take the same way
	}
	for _, fault := range append(faultNames(), "replays the past") {
		for role, affected := range only {
			t.Run(fault+" on "+role, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					m := &mirrors{files: w.Files(), affected: affected, old: old}
					c, _ := m.courier(fault, "honest")
					cl, err := client.Open(dir, w.Anchor())
					if err != nil {
						t.Fatal(err)
					}
					if fault == "replays the past" { // which only a device can know that has seen something newer
						now, _ := m.courier("honest")
						if _, _, err := cl.Refresh(t.Context(), now, w.Now, "stable"); err != nil {
							t.Fatal(err)
						}
					}
					set, _, err := cl.Refresh(t.Context(), c, w.Now, "stable")
					if err != nil {
						t.Fatalf("%v\nrequests %q", err, m.requests)
					}
					if got := set.Targets("stable"); len(got) != 2 {
						t.Errorf("%d targets, want the two of the release", len(got))
					}
				})
			})
		}
	}
}

// TestRefreshThroughDeadMirrors: whoever can not be reached must not stop the others, nor hide a root.
func TestRefreshThroughDeadMirrors(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.PublishRoot(w.Layout)
	synctest.Test(t, func(t *testing.T) {
		m := &mirrors{files: w.Files()}
		c, _ := m.courier("hang", "connection refused", "500", "404", "honest")
		cl, err := client.Open(t.TempDir(), w.Anchor())
		if err != nil {
			t.Fatal(err)
		}
		set, _, err := cl.Refresh(t.Context(), c, w.Now)
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := set.Role(trust.Root); r.Version != 2 {
			t.Errorf("root %d, want 2", r.Version)
		}
	})
}

// TestRequestsOfACheck measures what looking for something new costs when there is nothing.
func TestRequestsOfACheck(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.0.0", map[string][]byte{"linux-amd64/messenger": []byte("program")})
	m := &mirrors{files: maps.Clone(w.Files())}
	cl, err := client.Open(t.TempDir(), w.Anchor())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{5, 2} {
		m.requests = nil
		c, _ := m.courier("honest")
		if _, _, err := cl.Refresh(t.Context(), c, w.Now, "stable"); err != nil {
			t.Fatal(err)
		}
		if len(m.requests) != want {
			t.Errorf("refresh %d: requests %q, want %d", i, m.requests, want)
		}
	}
	t.Logf("nothing new: %d requests, %d bytes of body", len(m.requests), len(m.files["metadata/timestamp.json"]))
}
