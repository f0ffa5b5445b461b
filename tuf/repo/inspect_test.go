package repo_test

import (
	"bytes"
	"testing"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// The layout read from published metadata makes the same metadata again.
func TestReadGivesTheLayoutBack(t *testing.T) {
	w := repotest.New(t, 5, 3)
	ok := must(t)
	l, err := repo.Read(w.Role("root"), w.Role("targets"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ok(repo.Root(l, stamp(7))), ok(repo.Root(w.Layout, stamp(7)))) || !bytes.Equal(ok(repo.Targets(l, nil, stamp(7))), ok(repo.Targets(w.Layout, nil, stamp(7)))) {
		t.Error("the layout read back makes other metadata")
	}
	if _, err := repo.Read(w.Role("targets"), w.Role("root")); err == nil {
		t.Error("root and targets were mixed up unnoticed")
	}
}

func TestInspect(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("m")}, 4, 0, 2)
	info, err := repo.Inspect(w.Role("stable"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Role != "targets" || info.Version != 2 || !info.Made.Equal(w.Now) || !info.Expires.Equal(w.Now.AddDate(0, 0, 90)) ||
		info.Event != repotest.EventID("stable 1.4.0") || len(info.Files) != 2 || info.Files[0].Path != "stable/1.4.0/linux-amd64/messenger" || len(info.Signatures) != 3 {
		t.Errorf("stable: %+v", info)
	}
	if info, err = repo.Inspect(w.Role("root")); err != nil || len(info.Roles) != 4 || info.Roles[0].Name != "root" || info.Roles[0].Quorum != 3 || len(info.Roles[0].Holders) != 5 {
		t.Errorf("root: %+v, %v", info, err)
	}
	if info, err = repo.Inspect(w.Role("snapshot")); err != nil || len(info.Meta) != 3 || info.Meta[1].Name != "stable.json" || info.Meta[1].Version != 2 {
		t.Errorf("snapshot: %+v, %v", info, err)
	}
}
