package event_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/event"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

func export(t *testing.T, s event.Store, id event.ID, light bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := event.Export(t.Context(), s, id, &b, light); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An event goes to an air-gapped machine on a stick, is answered there, and comes back; meanwhile others
// answered at home. Both copies end with the union.
func TestThereAndBack(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Stage("1.0.0", "stable")
	stick := export(t, w.Room.Events, id, false)
	if again := export(t, w.Room.Events, id, false); !bytes.Equal(stick, again) {
		t.Fatal("two exports of one event differ")
	}
	home, away := w.Room, w.Open(t.TempDir())
	in, err := away.Events.Import(t.Context(), bytes.NewReader(stick))
	if err != nil || !in.New || in.ID != id {
		t.Fatal(in, err)
	}
	if err, bad := check(t, &World{T: t, Room: away}, id); err != nil || bad != nil {
		t.Fatal(err, bad)
	}
	w.Room = away
	w.Rebuild(id, Dai)
	w.SignAll(id, Dai)
	back := export(t, away.Events, id, true)
	if len(back) >= len(stick) || bytes.Contains(back, []byte("git bundle of")) {
		t.Error("the light export carries large files")
	}
	w.Room = home
	w.Rebuild(id, Ana)
	w.SignAll(id, Ana)
	in, err = home.Events.Import(t.Context(), bytes.NewReader(back))
	if err != nil || in.New || in.Signatures != 1 || in.Statements != 1 || len(in.Refused) != 0 {
		t.Fatalf("%+v %v", in, err)
	}
	in, err = home.Events.Import(t.Context(), bytes.NewReader(back)) // a second time changes nothing
	if err != nil || in.Signatures+in.Statements != 0 {
		t.Fatalf("%+v %v", in, err)
	}
	p := w.Load(id)
	if len(p.Signatures) != 2 || len(p.Statements) != 2 || len(p.Bad) != 0 {
		t.Errorf("%d signatures, %d statements, %v", len(p.Signatures), len(p.Statements), p.Bad)
	}
	if err := away.Events.HandIn(t.Context(), home.Events, id); err != nil {
		t.Error(err)
	}
}

// A light copy takes the large files later; a half-written event is completed, and its answers stay.
func TestImportCompletes(t *testing.T) {
	w, id := staged(t)
	full, light := export(t, w.Room.Events, id, false), export(t, w.Room.Events, id, true)
	away := w.Open(t.TempDir())
	if _, err := away.Events.Import(t.Context(), bytes.NewReader(light)); err != nil {
		t.Fatal(err)
	}
	entries, err := away.Events.List(t.Context())
	if err != nil || len(entries) != 1 || len(entries[0].Missing) != 6 || entries[0].Problem != "" {
		t.Fatalf("%+v %v", entries, err)
	}
	if err := os.Remove(filepath.Join(away.Events.Path(id), "event.json")); err != nil {
		t.Fatal(err)
	}
	in, err := away.Events.Import(t.Context(), bytes.NewReader(full))
	if err != nil || !in.New {
		t.Fatalf("%+v %v", in, err)
	}
	if err, bad := check(t, &World{T: t, Room: away}, id); err != nil || bad != nil {
		t.Fatal(err, bad)
	}
	away2 := w.Open(t.TempDir())
	for i, carried := range [][]byte{light, full} {
		in, err := away2.Events.Import(t.Context(), bytes.NewReader(carried))
		if err != nil || in.New != (i == 0) || len(in.Files) != 6*i {
			t.Fatalf("%+v %v", in, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(away2.Events.Path(id)), ".opening-*")); len(left) > 0 {
		t.Error("left behind:", left)
	}
}

// entry is one file of a tar made by hand.
type entry struct {
	name string
	typ  byte
	body []byte
}

func entries(t *testing.T, carried []byte) []entry {
	t.Helper()
	var out []entry
	r := tar.NewReader(bytes.NewReader(carried))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{h.Name, h.Typeflag, b})
	}
}

func pack(t *testing.T, list []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range list {
		h := &tar.Header{Name: e.name, Typeflag: e.typ, Size: int64(len(e.body)), Mode: 0o644}
		if e.typ == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(e.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A stick is a stranger's file: every tar that is not exactly an event is refused whole, and leaves nothing.
func TestHostileSticks(t *testing.T) {
	w, id := staged(t)
	good := entries(t, export(t, w.Room.Events, id, false))
	find := func(name string) int {
		for i, e := range good {
			if e.name == name {
				return i
			}
		}
		t.Fatal("no", name)
		return 0
	}
	with := func(e entry) []entry { return append(append([]entry{}, good...), e) }
	changed := func(name string, to func([]byte) []byte) []entry {
		out := append([]entry{}, good...)
		i := find(name)
		out[i].body = to(bytes.Clone(out[i].body))
		return out
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	without := func(name string) []entry {
		i := find(name)
		return append(append([]entry{}, good[:i]...), good[i+1:]...)
	}
	whole := pack(t, good)
	for _, c := range []struct {
		name string
		tar  []byte
		want string
	}{
		{"empty", nil, "is empty"},
		{"no end mark", whole[:len(whole)-1024], fmt.Sprintf("was cut short: %d bytes, want %d", len(whole)-1024, len(whole))},
		{"half an end mark", whole[:len(whole)-512], fmt.Sprintf("was cut short: %d bytes, want %d", len(whole)-512, len(whole))},
		{"no tar", []byte(strings.Repeat("x", 1024)), "is not a tar: archive/tar: invalid tar header"},
		{"event.json not first", pack(t, good[1:]), `starts with "artifacts/countersign-1.0.0-linux-amd64.tar", want event.json`},
		{"dot dot", pack(t, with(entry{"../../outside", tar.TypeReg, []byte("x")})), `file name "../../outside" is not a plain relative path`},
		{"absolute", pack(t, with(entry{"/etc/passwd", tar.TypeReg, []byte("x")})), `file name "/etc/passwd" is not a plain relative path`},
		{"backslash", pack(t, with(entry{`artifacts\..\x`, tar.TypeReg, []byte("x")})), `is not a plain relative path`},
		{"drive", pack(t, with(entry{`C:x`, tar.TypeReg, []byte("x")})), `file name "C:x" is not a plain relative path`},
		{"symbolic link", pack(t, with(entry{"artifacts/link", tar.TypeSymlink, nil})), `"artifacts/link" is not a plain file`},
		{"unnamed", pack(t, with(entry{"README", tar.TypeReg, []byte("x")})), `"README" is not a file of this event`},
		{"unnamed artifact", pack(t, with(entry{"artifacts/linux-amd64/more", tar.TypeReg, []byte("x")})), `"artifacts/linux-amd64/more" is not a file of this event`},
		{"other role", pack(t, with(entry{"metadata/beta.json", tar.TypeReg, []byte("x")})), `"metadata/beta.json" is not a file of this event`},
		{"twice", pack(t, with(good[find("release.json")])), `"release.json" is there twice`},
		{"release changed", pack(t, changed("release.json", flip)), ""},
		{"artifact changed", pack(t, changed("artifacts/linux-amd64/messenger", flip)), ""},
		{"artifact longer", pack(t, changed("artifacts/linux-amd64/messenger", func(b []byte) []byte { return append(b, 'x') })), "artifacts/linux-amd64/messenger is longer than the 15 bytes event.json says"},
		{"base changed", pack(t, changed("base/timestamp.json", flip)), ""},
		{"metadata changed", pack(t, changed("metadata/stable.json", flip)), "metadata/stable.json is not what event.json and its files derive to"},
		{"event.json changed", pack(t, changed("event.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"1.0.0 stable"`), []byte(`"1.0.1 stable"`), 1) })), "metadata/stable.json is not what event.json and its files derive to"},
		{"base missing", pack(t, without("base/policy.json")), "is half-written: base/policy.json is missing"},
	} {
		room := w.Open(t.TempDir())
		_, err := room.Events.Import(t.Context(), bytes.NewReader(c.tar))
		switch {
		case err == nil:
			t.Errorf("%s: believed", c.name)
		case !strings.HasSuffix(err.Error(), c.want):
			t.Errorf("%s: %v, want … %s", c.name, err, c.want)
		}
		if list, err := room.Events.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("%s left %+v %v", c.name, list, err)
		}
	}
}

// Bad answers on a stick do not stop the good ones.
func TestStickWithBadAnswers(t *testing.T) {
	w, id := staged(t)
	list := entries(t, export(t, w.Room.Events, id, true))
	for i, e := range list {
		if strings.HasPrefix(e.name, "signatures/") {
			list[i].body = bytes.Replace(e.body, []byte(`"sig": "`), []byte(`"sig": "00`), 1)
			break
		}
	}
	room := w.Open(t.TempDir())
	in, err := room.Events.Import(t.Context(), bytes.NewReader(pack(t, list)))
	if err != nil || in.Signatures != 2 || in.Statements != 3 || len(in.Refused) != 1 {
		t.Fatalf("%+v %v", in, err)
	}
	if !strings.Contains(in.Refused[0], "is not valid for event "+id.Short()) {
		t.Error(in.Refused)
	}
}

// A copy of the store is a Collect away, as from a room over HTTP.
func TestCollect(t *testing.T) {
	w, id := staged(t)
	away := w.Open(t.TempDir())
	in, err := away.Events.Collect(t.Context(), w.Room.Events, id, false)
	if err != nil || !in.New || in.Signatures != 3 || in.Statements != 3 {
		t.Fatalf("%+v %v", in, err)
	}
	missing := id
	missing[0] ^= 1
	if _, err := away.Events.Collect(t.Context(), w.Room.Events, missing, false); err == nil {
		t.Error("an event that does not exist was collected")
	}
}
