//go:build linux

package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A whole story with the real program: people register by code and invite, link, change their number, write while the other is there and while not, send attachments,
// mistype passwords, are refused, and leave; the server drains, is killed, and comes back. Then neither log nor metrics has any address, number,
// code, password, token, name or key of it, nor the size of any message.
func TestQuiet(t *testing.T) {
	o := newOperator(t)
	args := []string{"--development", "--metrics-listen", "127.0.0.1:0"}
	r := o.serve(args...)
	var address atomicText
	address.set(r.address)
	l := newLedger()
	phones := r.phones(3, l, func(*phone, int) string { return address.get() })
	phones[2].coy = true
	start(t, phones)
	l.each(t, "they write", phones, 10, 10)
	secrets := map[string]string{"password": passphrase, "password, as sent": base64.StdEncoding.EncodeToString([]byte(phones[0].number + ":" + passphrase)),
		"client's address": "127.9.", "text": text[:40]}
	a := &attacker{t, r}
	ask := func(login, method, path, body string) string {
		t.Helper()
		code, answer := r.request("http", login, method, path, body)
		if code >= 500 {
			t.Errorf("%s %s: %d %s", method, path, code, answer)
		}
		return answer
	}
	for i, p := range phones {
		secrets[fmt.Sprintf("number %d", i)] = p.number[1:]
	}
	ann := phones[0].number
	invite, _ := o.run(0, "invite", "--note", "for a friend of mine", "--quiet")
	secrets["invite"], secrets["note"] = invite, "friend of mine"
	ask("", "POST", "/v3/accounts", `{"invite":"`+invite+`",`+attributes)
	code := ask("", "GET", "/v1/accounts/dev/code/+14155558888", "")
	secrets["number that registers"], secrets["code"], secrets["code, with dash"] = "14155558888", strings.ReplaceAll(code, "-", ""), code
	ask("+14155558888", "PUT", "/v1/accounts/code/000000", "{"+attributes)
	code = ask(ann, "GET", "/v1/devices/provisioning/code", "")
	link := regexp.MustCompile(`\d{6}`).FindString(code)
	secrets["link code"] = link
	ask(ann, "PUT", "/v1/devices/"+link, `{"name":"a telling name",`+attributes)
	secrets["name"] = "telling name"
	ask(ann, "PUT", "/v3/usernames/annsname", "")
	secrets["username"] = "annsname"
	ask(ann, "GET", "/v1/directory/BQVVHxMt5zAFXA", "")
	secrets["token"] = "BQVVHxMt5zAFXA"
	ask(ann, "PUT", "/v1/accounts/gcm/", `{"gcmRegistrationId":"pushaddressofann"}`)
	secrets["push address"] = "pushaddressofann"
	ask(ann, "PUT", "/v1/messages/"+phones[1].number, "{broken")
	ask("+14155557777", "GET", "/v1/devices", "")
	secrets["number that does not exist"] = "14155557777"
	ask(ann, "PUT", "/v1/messages/+14155556666", `{"messages":[]}`)
	secrets["number that was written to"] = "14155556666"
	ask(ann, "GET", "/v1/profile/not-a-number-at-all", "")
	secrets["path"] = "not-a-number-at-all"
	_, attachment := r.request("http", phones[1].number, "GET", "/v1/attachments", "")
	id := regexp.MustCompile(`"idString":"(\d+)"`).FindStringSubmatch(attachment)
	if id == nil {
		t.Fatal(attachment)
	}
	secrets["attachment"] = id[1]
	ask("", "PUT", "/v3/blobs/"+id[1], strings.Repeat("x", 54321))
	ask("", "GET", "/v3/blobs/"+id[1], "")
	// One message of a size that nothing else has, by each way: to somebody away, and to somebody there.
	const odd = 23457
	ask(phones[1].number, "PUT", "/v1/messages/"+ann, `{"messages":[],"timestamp":`+strconv.Itoa(odd)+`}`)
	for i := range 3 {
		a.ask(i, phones[1].number, "PUT", "/v1/messages/"+phones[2].number, strings.Replace(bodyOf(odd/4*3), `"timestamp":5`, fmt.Sprintf(`"timestamp":%d`, l.timestamp()), 1))
		a.ask(i, "", "GET", "/v1/accounts/sms/code/"+phones[2].number, "")
		if ws, _ := a.socket(i, "/v1/websocket/", "+14155557777"); ws != nil {
			t.Error("a stranger was let in")
		}
		if ws, _ := a.socket(i, "/v1/websocket/provisioning", ""); ws != nil {
			_ = ws.WriteMessage(1, []byte("garbage"))
		}
	}
	exchange(t, r.address, "GET /"+ann+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	exchange(t, r.address, "\x16\x03\x01 this is no HTTP\r\n\r\n")
	metrics := r.metrics()
	logs := r.read()
	r.stop()
	logs += r.read()
	r = o.serve(args...)
	address.set(r.address)
	l.each(t, "they go on", phones, 2, 2)
	metrics += r.metrics()
	r.kill()
	logs += r.read()
	r = o.serve(args...)
	address.set(r.address)
	hush(phones)
	l.settle(t)
	metrics += r.metrics()
	r.stop()
	logs += r.read()

	if !strings.Contains(metrics, "messengerd_envelopes_total") || !strings.Contains(logs, "msg=stopping") {
		t.Fatalf("this is not what was to be looked at:\n%s\n%s", logs, metrics)
	}
	for name, text := range map[string]string{"log": logs, "metrics": metrics} {
		for what, secret := range secrets {
			if len(secret) < 5 || tells(text, secret) {
				t.Errorf("the %s has the %s, %q:\n%s", name, what, secret, around(text, secret))
			}
		}
		// A size would be the body's, the ciphertext's, or the envelope's, which is a little longer. What Go's runtime counts of itself, allocations
		// for instance, comes to such a number now and then.
		ours := regexp.MustCompile(`(?m)^(# \w+ )?(go|process)_.*$`).ReplaceAllString(text, "")
		for _, m := range regexp.MustCompile(`\b\d{5}\b`).FindAllString(ours, -1) {
			n, _ := strconv.Atoi(m)
			if n >= odd/4*3 && n < odd/4*3+200 || n >= odd && n < odd+200 || n == 54321 {
				if !strings.Contains(ours, "pid="+m) && !strings.Contains(ours, ":"+m) {
					t.Errorf("the %s has a number that is near a message's size: %s\n%s", name, m, around(ours, m))
				}
			}
		}
	}
	// Metrics have no labels but those of fixed words.
	for _, m := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(metrics, -1) {
		switch m[1] {
		case "route", "status", "limit", "outcome", "le", "quantile", "version":
		default:
			t.Errorf("a label %s", m[0])
		}
	}
}

// metrics reads /metrics.
func (r *running) metrics() string {
	r.o.Helper()
	m := regexp.MustCompile(`msg=metrics address=(\S+)`).FindStringSubmatch(r.read())
	if m == nil {
		r.o.Fatal(r.read())
	}
	resp, err := http.Get("http://" + m[1] + "/metrics")
	must(r.o.T, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(r.o.T, err)
	return string(b)
}

// tells looks for a secret. A short number is one only by itself: any long number, a time or a count of bytes, has six digits of a code in it now and then.
func tells(text, secret string) bool {
	if regexp.MustCompile(`^\d{1,8}$`).MatchString(secret) {
		return regexp.MustCompile(`(^|[^0-9.])` + secret + `($|[^0-9.])`).MatchString(text)
	}
	return strings.Contains(text, secret)
}

// That it finds a code where a server might write one.
func TestQuietFindsACode(t *testing.T) {
	for text, want := range map[string]bool{"path=/v1/accounts/code/482913": true, "code 482913, sent": true, "482913": true, "482913\n": true,
		"go_memstats_sys_bytes 1.482913e+07": false, "sum 0.4829137": false, "pid=1482913": false} {
		if tells(text, "482913") != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
	if !tells("number 14155550001x", "14155550001") {
		t.Error("a number is found wherever it is")
	}
}

func around(text, what string) string {
	i := strings.Index(text, what)
	if i < 0 {
		return ""
	}
	return text[max(0, i-150):min(len(text), i+150)]
}
