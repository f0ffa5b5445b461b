package compare

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
)

// member is one entry of a tar archive.
type member struct {
	header tar.Header
	body   []byte
}

// explainTar names the first entry that differs, and of a file with other bytes the cause within.
func explainTar(want, got []byte) (string, []string) {
	a, orderA, errA := members(want)
	b, orderB, errB := members(got)
	if errA != nil || errB != nil {
		return "tar archives differ, and one cannot be read", []string{fmt.Sprintf("want: %v", errA), fmt.Sprintf("got: %v", errB)}
	}
	var causes, details []string
	for _, name := range orderA {
		y, ok := b[name]
		if !ok {
			causes = append(causes, fmt.Sprintf("entry %q is missing", name))
			continue
		}
		x := a[name]
		if !bytes.Equal(x.body, y.body) {
			cause, more := Explain(x.body, y.body)
			causes = append(causes, fmt.Sprintf("entry %q: %s", name, cause))
			for _, line := range more {
				details = append(details, fmt.Sprintf("%s: %s", name, line))
			}
		}
		if field := headerField(x.header, y.header); field != "" {
			causes = append(causes, fmt.Sprintf("entry %q: %s", name, field))
		}
	}
	for _, name := range orderB {
		if _, ok := a[name]; !ok {
			causes = append(causes, fmt.Sprintf("extra entry %q", name))
		}
	}
	switch {
	case len(causes) > 0:
		return causes[0], append(causes[1:], details...)
	case !slices.Equal(orderA, orderB):
		return "the order of entries differs", nil
	}
	return "same entries, written by another tar program", []string{excerpt(want, got)}
}

func members(b []byte) (map[string]member, []string, error) {
	out := map[string]member{}
	var order []string
	tr := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return out, order, nil
		}
		if err != nil {
			return nil, nil, err
		}
		// A sparse entry can claim to be larger than the whole archive.
		body, err := io.ReadAll(io.LimitReader(tr, int64(len(b))))
		if err != nil {
			return nil, nil, err
		}
		out[h.Name] = member{*h, body}
		order = append(order, h.Name)
	}
}

// headerField names the first field of two headers that differs.
func headerField(a, b tar.Header) string {
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"type", string(a.Typeflag), string(b.Typeflag)},
		{"mode", fmt.Sprintf("%04o", a.Mode), fmt.Sprintf("%04o", b.Mode)},
		{"time", a.ModTime.UTC().Format("2006-01-02T15:04:05Z"), b.ModTime.UTC().Format("2006-01-02T15:04:05Z")},
		{"owner", fmt.Sprintf("%d %s", a.Uid, a.Uname), fmt.Sprintf("%d %s", b.Uid, b.Uname)},
		{"group", fmt.Sprintf("%d %s", a.Gid, a.Gname), fmt.Sprintf("%d %s", b.Gid, b.Gname)},
		{"link", a.Linkname, b.Linkname},
		{"format", a.Format.String(), b.Format.String()},
	} {
		if f.a != f.b {
			return fmt.Sprintf("%s differs: want %v, got %v", f.name, f.a, f.b)
		}
	}
	return ""
}
