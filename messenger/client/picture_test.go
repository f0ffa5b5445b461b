package client_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/group"
)

// pictures gives a group a picture, and returns what waits until somebody has it.
func (d *device) pictures(id string) (shows func(*device)) {
	d.Helper()
	data := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{7}, 5000)...)
	u, err := d.acc.UploadPicture(d.Context(), data)
	if err == nil {
		err = d.acc.SetPicture(d.Context(), id, u)
	}
	if err != nil {
		d.Fatal(err)
	}
	return func(who *device) {
		d.Helper()
		d.waitFor("the picture at "+who.name+"'s", func() bool {
			p, err := who.acc.Picture(d.Context(), id)
			return err == nil && p != nil && bytes.Equal(p.Data, data)
		})
	}
}

// pictureAt is where a device knows a group's picture to be.
func (d *device) pictureAt(id string) uint64 {
	d.Helper()
	g, err := d.acc.Group(d.Context(), id)
	if err != nil || g.Avatar == nil {
		d.Fatal(g, err)
	}
	return g.Avatar.ID
}

// uploads counts what is uploaded from now on.
func (w *world) uploads() *atomic.Int64 {
	n := new(atomic.Int64)
	w.hostile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && r.URL.Path == "/v1/attachments" {
			n.Add(1)
		}
		return false
	})
	return n
}

// The server forgets a picture after 45 days. Who is added later has it all the same, from whoever has it still, and it is uploaded at most once a day.
func TestAPictureTheServerHasForgotten(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	id := alice.founds("choir", bob)
	alice.changes(id, func(g *group.State, self string) error { return g.Appoint(self, bob.number, true) })
	shows := alice.pictures(id)
	shows(bob)
	w.later(46 * 24 * time.Hour)
	before, n := alice.pictureAt(id), w.uploads()
	carol, dan, eve := w.person("carol"), w.person("dan"), w.person("eve")
	bob.changes(id, func(g *group.State, self string) error { return g.Add(self, carol.number) }) // he has not set it, but he has it
	shows(carol)
	if bob.pictureAt(id) == before || carol.pictureAt(id) != bob.pictureAt(id) {
		t.Errorf("the picture was at %d, bob has it at %d, carol at %d", before, bob.pictureAt(id), carol.pictureAt(id))
	}
	bob.changes(id, func(g *group.State, self string) error { return g.Add(self, dan.number) })
	shows(dan)
	if n.Load() != 1 {
		t.Errorf("uploaded %d times in a day", n.Load())
	}
	w.later(25 * time.Hour)
	bob.changes(id, func(g *group.State, self string) error { return g.Add(self, eve.number) })
	shows(eve)
	if n.Load() != 2 {
		t.Errorf("uploaded %d times in two days", n.Load())
	}
	for _, d := range []*device{alice, carol} { // who has it is told nothing
		if got := strings.Join(d.conversation(id), " "); strings.Count(got, "[group]") > 6 {
			t.Error(got)
		}
	}
	if got := eve.notice(id, "group"); !strings.HasSuffix(got, ` added you to the group "choir".`) {
		t.Error(got)
	}
}

// Who was added and comes too late for the server's copy asks, once, and is given the picture by who has it.
func TestAPictureIsAskedFor(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("choir", bob)
	shows := alice.pictures(id)
	shows(bob)
	before := alice.pictureAt(id)
	var gone atomic.Int64
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && r.URL.Path == "/v1/attachments/"+strconv.FormatUint(before, 10) {
			gone.Add(1)
			rw.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	carol.offline()
	alice.changes(id, func(g *group.State, self string) error { return g.Add(self, carol.number) }) // she has just uploaded it
	w.waitFor("Carol is told", func() bool { n, err := alice.acc.Queued(t.Context()); return err == nil && n == 0 })
	w.later(25 * time.Hour)
	carol.online()
	shows(carol)
	if gone.Load() == 0 {
		t.Error("the server has not forgotten it")
	}
	if carol.pictureAt(id) == before {
		t.Error("it was not uploaded again")
	}
}

// What cannot be uploaded again keeps nobody out of the group.
func TestAPictureThatCannotBeUploaded(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	id := alice.founds("choir", bob)
	alice.pictures(id)(bob)
	w.later(46 * 24 * time.Hour)
	w.hostile(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && r.URL.Path == "/v1/attachments" {
			rw.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}
		return false
	})
	alice.changes(id, func(g *group.State, self string) error { return g.Add(self, carol.number) })
	carol.memberOf(id, 3)
}
