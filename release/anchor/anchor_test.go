package anchor

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

const mirrors = "{\n  \"format\": \"countersign-mirrors-1\",\n  \"name\": \"Example\",\n  \"mirrors\": [\n    \"https://a.example/repository\",\n    \"file:///media/stick\"\n  ]\n}\n"

func TestOwnVersionIsValid(t *testing.T) {
	if v := Version(); !ValidVersion(v) {
		t.Errorf("VERSION holds %q", v)
	}
}

func TestVersions(t *testing.T) {
	for _, v := range []string{"1.4.0", "0.1.0", "1.4.0-rc.1"} {
		if !ValidVersion(v) {
			t.Errorf("%q is not valid", v)
		}
	}
	for _, v := range []string{"", "1", "1.4", "v1.4.0", "1.4.0 ", "01.4.0", "1.4.0+build", "1.4.0-01", "../1.4.0"} {
		if ValidVersion(v) {
			t.Errorf("%q is valid", v)
		}
	}
	for _, order := range [][2]string{{"1.4.0-rc.1", "1.4.0"}, {"1.4.0", "1.10.0"}, {"1.9.9", "2.0.0"}} {
		if CompareVersions(order[0], order[1]) >= 0 || CompareVersions(order[1], order[0]) <= 0 {
			t.Errorf("%s is not before %s", order[0], order[1])
		}
	}
}

func TestLoad(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	if _, err := Load(fstest.MapFS{"README.md": file("x")}); !errors.Is(err, ErrNoDistribution) {
		t.Errorf("without a root: %v", err)
	}
	for missing, text := range map[string]string{
		"policy.json":  "anchor has a root.json but no policy: open policy.json: file does not exist",
		"mirrors.json": "anchor has a root.json but no mirror list: open mirrors.json: file does not exist",
	} {
		dir := fstest.MapFS{"root.json": file("{}"), "policy.json": file("{}"), "mirrors.json": file(mirrors)}
		delete(dir, missing)
		if _, err := Load(dir); err == nil || err.Error() != text {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	a, err := Load(fstest.MapFS{"root.json": file("{}"), "policy.json": file("{}"), "mirrors.json": file(mirrors)})
	if err != nil || a.Name != "Example" || len(a.Mirrors) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestMirrors(t *testing.T) {
	b, err := FormatMirrors("Example", []string{"https://a.example/repository", "file:///media/stick"})
	if err != nil || string(b) != mirrors {
		t.Errorf("%s, %v", b, err)
	}
	for _, c := range []struct{ old, new, text string }{
		{"countersign-mirrors-1", "countersign-mirrors-2", `mirrors.json: format "countersign-mirrors-2", want "countersign-mirrors-1"`},
		{"https://a.example/repository", "ftp://a.example/", `mirrors.json: mirror "ftp://a.example/", want an http, https or file URL`},
		{"https://a.example/repository", "https:///repository", `mirrors.json: mirror "https:///repository", want an http, https or file URL`},
		{`"name"`, `"nam"`, `mirrors.json: json: unknown field "nam"`},
	} {
		if _, _, err := ParseMirrors([]byte(strings.Replace(mirrors, c.old, c.new, 1))); err == nil || err.Error() != c.text {
			t.Errorf("%s: %v, want %s", c.new, err, c.text)
		}
	}
	if _, _, err := ParseMirrors([]byte("{\"format\": \"countersign-mirrors-1\", \"name\": \"x\", \"mirrors\": []}")); err == nil || err.Error() != "mirrors.json: no mirrors" {
		t.Errorf("an empty list: %v", err)
	}
	if _, _, err := ParseMirrors([]byte(mirrors + "x")); err == nil {
		t.Error("trailing bytes were taken")
	}
	if _, _, err := ParseMirrors(make([]byte, MaxFile+1)); err == nil || err.Error() != "mirrors.json: 1048577 bytes, at most 1048576 allowed" {
		t.Errorf("too long: %v", err)
	}
}

func FuzzParseMirrors(f *testing.F) {
	f.Add([]byte(mirrors))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, list, err := ParseMirrors(b)
		if err != nil {
			return
		}
		again, err := FormatMirrors(name, list)
		if err != nil {
			t.Fatalf("%q was read but cannot be written: %v", b, err)
		}
		if n, l, err := ParseMirrors(again); err != nil || n != name || len(l) != len(list) {
			t.Fatalf("%q reads back as %q %q, %v", again, n, l, err)
		}
	})
}
