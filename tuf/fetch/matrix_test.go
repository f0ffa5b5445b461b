package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"
	"testing/synctest"
	"time"
)

// said is what each fault is called in an error when it is the only mirror.
var said = map[string]struct{ metadata, target string }{
	"404":                        {"HTTP 404 Not Found", "HTTP 404 Not Found"},
	"403":                        {"HTTP 403 Forbidden", "HTTP 403 Forbidden"},
	"500":                        {"HTTP 500 Internal Server Error", "HTTP 500 Internal Server Error"},
	"truncated":                  {"version 7 wanted", "150000 bytes, want 300000"},
	"truncated with length":      {"20 bytes, want 40", "150000 bytes, want 300000"},
	"longer":                     {"version 7 wanted", ""},
	"endless":                    {"longer than the 16384 bytes allowed", "sha256 "},
	"wrong content-length, more": {"40 bytes, want 41", "300001 bytes, want 300000"},
	"wrong content-length, less": {"version 7 wanted", "299999 bytes, want 300000"},
	"redirect loop":              {"more than 3 redirects", "more than 3 redirects"},
	"redirect to another scheme": {"redirect from https to file", "redirect from https to file"},
	"stale":                      {"version 7 wanted", "HTTP 404 Not Found"},
	"mixed":                      {"version 7 wanted", "sha256 "},
	"compressed":                 {`compressed ("gzip") though not asked to`, `compressed ("gzip") though not asked to`},
	"1-byte drip":                {"too slow: 15 bytes in 15s, want at least 2048 a second", "too slow: 15 bytes in 15s, want at least 2048 a second"},
	"connection reset":           {"connection reset by peer", "connection reset by peer"},
	"connection refused":         {"connection refused", "connection refused"},
	"hang":                       {"too slow: 0 bytes in 15s, want at least 2048 a second", "too slow: 0 bytes in 15s, want at least 2048 a second"},
	"hang in body":               {"too slow: 10 bytes in 15s, want at least 2048 a second", "too slow: 10 bytes in 15s, want at least 2048 a second"},
	"silent reader":              {"too slow: 0 bytes in 15s, want at least 2048 a second", "too slow: 0 bytes in 15s, want at least 2048 a second"},
}

const capSmall = 16 << 10

func faultNames() []string {
	var names []string
	for name := range faults {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// checkEvents wants the bad mirror to be named, with its fault.
func checkEvents(t *testing.T, events []Event, fault, want string) {
	t.Helper()
	for _, e := range events {
		if (e.Kind == Failed || e.Kind == Absent) && e.Source == "https://"+host(fault) && bytes.HasPrefix([]byte(e.Err.Error()), []byte(want)) {
			return
		}
	}
	t.Errorf("events %v, want one of %s that says %q", events, fault, want)
}

func TestMetadataComesFromTheHonestMirror(t *testing.T) {
	for _, fault := range faultNames() {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, events := newMirrors().courier(fault, "honest")
				got, err := c.FetchChecked(t.Context(), smallPath, capSmall, judge)
				if err != nil || !bytes.Equal(got, small) {
					t.Fatalf("got %q, %v", got, err)
				}
				checkEvents(t, *events, fault, said[fault].metadata)
				wantLate(t, c, said[fault].metadata)
			})
		})
	}
}

// wantLate wants the first of two mirrors to be asked last from now on, unless it only had not the file.
func wantLate(t *testing.T, c *Courier, words string) {
	t.Helper()
	want := []int{1, 0}
	if words == "HTTP 404 Not Found" || words == "" {
		want = []int{0, 1}
	}
	if ask, _ := c.order("another"); !slices.Equal(ask, want) {
		t.Errorf("mirrors are then asked in the order %v, want %v", ask, want)
	}
}

// The client of tuf/client knows only Fetch: it says Reject and fetches again.
func TestRejectedMetadataComesFromTheHonestMirror(t *testing.T) {
	for _, fault := range faultNames() {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newMirrors().courier(fault, "honest")
				for range 2 {
					got, err := c.Fetch(t.Context(), smallPath, capSmall)
					if err != nil {
						t.Fatal(err)
					}
					if judge(got) == nil {
						return
					}
					if !c.Reject(smallPath, errWrongVersion) {
						t.Fatal("no mirror left, want the honest one")
					}
				}
				t.Fatal("the honest mirror's bytes did not come")
			})
		})
	}
}

func TestTargetComesFromTheHonestMirror(t *testing.T) {
	for _, fault := range faultNames() {
		t.Run(fault, func(t *testing.T) {
			partial := filepath.Join(t.TempDir(), "partial")
			synctest.Test(t, func(t *testing.T) {
				c, events := newMirrors().courier(fault, "honest")
				if err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil); err != nil {
					t.Fatal(err)
				}
				wantBytes(t, partial, big)
				if want := said[fault].target; want != "" { // "longer" had the right bytes, and we stopped there
					checkEvents(t, *events, fault, want)
				}
				wantLate(t, c, said[fault].target)
			})
		})
	}
}

func wantBytes(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: %d wrong bytes", path, len(got))
	}
}

// All the bad mirrors together do not keep us from the one honest one behind them.
func TestAllFaultsAtOnce(t *testing.T) {
	partial := filepath.Join(t.TempDir(), "partial")
	synctest.Test(t, func(t *testing.T) {
		list := faultNames()
		list = slices.DeleteFunc(list, func(s string) bool { return s == "longer" })
		c, _ := newMirrors().courier(append(list, "honest")...)
		begin := time.Now()
		if _, err := c.FetchChecked(t.Context(), smallPath, capSmall, judge); err != nil {
			t.Fatal(err)
		}
		if err := c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, partial, big)
		// Four of them are slow, and each costs one window and no more: the download asks the honest one and
		// the merely absent ones first.
		if took := time.Since(begin); took > 4*DefaultWindow+time.Second {
			t.Errorf("took %v, want about %v", took, 4*DefaultWindow)
		}
	})
}

// With bad mirrors only, the error names what each did and is neither "not there" nor a refusal.
func TestOnlyABadMirror(t *testing.T) {
	for _, fault := range faultNames() {
		t.Run(fault, func(t *testing.T) {
			partial := filepath.Join(t.TempDir(), "partial")
			synctest.Test(t, func(t *testing.T) {
				c, _ := newMirrors().courier(fault)
				_, err := c.FetchChecked(t.Context(), smallPath, capSmall, judge)
				wantError(t, err, smallPath+": https://"+host(fault)+": "+said[fault].metadata, fault == "404")
				c, _ = newMirrors().courier(fault)
				err = c.Download(t.Context(), bigPath, int64(len(big)), sha256.Sum256(big), partial, nil)
				if said[fault].target == "" {
					return
				}
				wantError(t, err, bigPath+": https://"+host(fault)+": "+said[fault].target, said[fault].target == "HTTP 404 Not Found")
				if info, err := os.Stat(partial); err == nil && info.Size() == int64(len(big)) {
					t.Error("wrong bytes stay as complete")
				}
			})
		})
	}
}

func wantError(t *testing.T, err error, prefix string, absent bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !bytes.HasPrefix([]byte(err.Error()), []byte(prefix)) {
		t.Errorf("error %v, want %s…", err, prefix)
	}
	if errors.Is(err, fs.ErrNotExist) != absent {
		t.Errorf("error %v is 'not there': %v, want %v", err, !absent, absent)
	}
	if _, ok := err.(interface{ Refused() bool }); ok {
		t.Errorf("error %v can be a refusal", err)
	}
}

func TestCancelIsNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, events := newMirrors().courier("hang", "honest")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Fetch(ctx, smallPath, capSmall)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != smallPath+": context deadline exceeded" {
			t.Errorf("error %v", err)
		}
		if len(*events) != 0 || len(c.bad) != 0 {
			t.Errorf("events %v, blamed %v, want none", *events, c.bad)
		}
	})
}

// A source that keeps just above the floor must not eat the time of the honest ones behind it.
func TestDeadlineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newMirrors().courier("1-byte drip", "1-byte drip", "honest")
		c.MinRate, c.Deadline = -1, 9*time.Second
		begin := time.Now()
		if _, err := c.Fetch(t.Context(), smallPath, capSmall); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 6*time.Second {
			t.Errorf("took %v, want two shares of 3 s", took)
		}
	})
}
