package interop_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// forged is a bundle in which somebody without the key changed one thing.
type forged struct {
	what   string
	bundle []byte
}

// statementForgeries changes each field of the statement, at any depth, and leaves each out.
func statementForgeries(t *testing.T, s said) []forged {
	t.Helper()
	var list []forged
	for _, change := range changes(decodeJSON(t, s.payload)) {
		payload, err := json.Marshal(change.value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, forged{s.kind + ": statement" + change.what, edit(t, s.bundle, func(b map[string]any) {
			envelope(b)["payload"] = base64.StdEncoding.EncodeToString(payload)
		})})
	}
	flipped := bytes.Clone(s.payload)
	flipped[len(flipped)/2] ^= 1
	return append(list, forged{s.kind + ": a bit of the payload", edit(t, s.bundle, func(b map[string]any) {
		envelope(b)["payload"] = base64.StdEncoding.EncodeToString(flipped)
	})})
}

// envelopeForgeries changes the parts of the bundle around the statement.
func envelopeForgeries(t *testing.T, s, other said) []forged {
	t.Helper()
	var list []forged
	add := func(what string, f func(b map[string]any)) {
		list = append(list, forged{s.kind + ": " + what, edit(t, s.bundle, f)})
	}
	theirs := decodeJSON(t, other.bundle).(map[string]any)
	add("payload type", func(b map[string]any) { envelope(b)["payloadType"] = "text/plain" })
	add("signature of another statement", func(b map[string]any) { envelope(b)["signatures"] = envelope(theirs)["signatures"] })
	add("no signature", func(b map[string]any) { envelope(b)["signatures"] = []any{} })
	add("two signatures", func(b map[string]any) {
		both := append(slices.Clone(envelope(b)["signatures"].([]any)), envelope(theirs)["signatures"].([]any)...)
		envelope(b)["signatures"] = both
	})
	add("empty signature", func(b map[string]any) { envelope(b)["signatures"].([]any)[0].(map[string]any)["sig"] = "" })
	sig, err := base64.StdEncoding.DecodeString(envelope(decodeJSON(t, s.bundle).(map[string]any))["signatures"].([]any)[0].(map[string]any)["sig"].(string))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{len(sig) / 3, len(sig) - 1} {
		bad := bytes.Clone(sig)
		bad[i] ^= 1
		add(fmt.Sprintf("byte %d of the signature", i), func(b map[string]any) {
			envelope(b)["signatures"].([]any)[0].(map[string]any)["sig"] = base64.StdEncoding.EncodeToString(bad)
		})
	}
	add("media type", func(b map[string]any) { b["mediaType"] = "application/json" })
	return list
}

// hinted is the bundle with another key's hint.
func hinted(t *testing.T, s, other said) []byte {
	theirs := decodeJSON(t, other.bundle).(map[string]any)
	return edit(t, s.bundle, func(b map[string]any) { b["verificationMaterial"] = theirs["verificationMaterial"] })
}

func envelope(b map[string]any) map[string]any { return b["dsseEnvelope"].(map[string]any) }

func edit(t *testing.T, b []byte, f func(map[string]any)) []byte {
	t.Helper()
	doc := decodeJSON(t, b).(map[string]any)
	f(doc)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(out, b) {
		t.Fatal("the forgery changes nothing")
	}
	return out
}

func decodeJSON(t *testing.T, b []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

type change struct {
	what  string // path of the field, "[…]" for each step, and what was done
	value any    // the whole value, changed in this one place
}

// changes returns v with each leaf changed, and each member of each object left out, one at a time.
func changes(v any) []change {
	switch v := v.(type) {
	case map[string]any:
		var list []change
		for _, name := range slices.Sorted(maps.Keys(v)) {
			without := maps.Clone(v)
			delete(without, name)
			list = append(list, change{"[" + name + "] left out", without})
			for _, c := range changes(v[name]) {
				with := maps.Clone(v)
				with[name] = c.value
				list = append(list, change{"[" + name + "]" + c.what, with})
			}
		}
		return list
	case []any:
		list := []change{{" with one more", append(slices.Clone(v), "more")}}
		for i := range v {
			for _, c := range changes(v[i]) {
				with := slices.Clone(v)
				with[i] = c.value
				list = append(list, change{fmt.Sprintf("[%d]%s", i, c.what), with})
			}
		}
		return list
	case json.Number:
		return []change{{" changed", json.Number(v.String() + "1")}}
	case string:
		if strings.HasPrefix(v, "0") || v == "" {
			return []change{{" changed", v + "1"}}
		}
		return []change{{" changed", "0" + v[1:]}}
	}
	panic(fmt.Sprintf("internal error: a statement with a %T in it", v))
}
