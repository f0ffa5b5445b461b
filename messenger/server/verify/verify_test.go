package verify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var at = time.Unix(1_795_000_000, 0)

func clock() time.Time { return at }

func TestCodesAreUniform(t *testing.T) {
	first := map[byte]int{}
	for range 9000 {
		c, err := NewCode(rand.Reader)
		if err != nil || len(c) != 6 || c[0] == '0' {
			t.Fatalf("%q, %v", c, err)
		}
		first[c[0]]++
	}
	for d := byte('1'); d <= '9'; d++ { // 1000 expected, deviation 30
		if first[d] < 800 || first[d] > 1200 {
			t.Errorf("%d of 9000 codes begin with %c", first[d], d)
		}
	}
	if Spoken("123456") != "123-456" {
		t.Error(Spoken("123456"))
	}
}

func TestWebhook(t *testing.T) {
	var got map[string]string
	status := 202
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := Sign([]byte("0123456789abcdef"), at, body); r.Header.Get("X-Countersign-Signature") != want || !strings.HasPrefix(want, "t=1795000000,v1=") {
			t.Errorf("signature %q, want %q", r.Header.Get("X-Countersign-Signature"), want)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
	}))
	defer gateway.Close()
	h, err := NewWebhook(gateway.URL, []byte("0123456789abcdef"), http.DefaultTransport, clock)
	if err != nil {
		t.Fatal(err)
	}
	d := Delivery{Transport: SMS, Number: "+14155550001", Code: "123456", Client: "android"}
	if err := h.Send(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	if got["number"] != "+14155550001" || got["code"] != "123456" || got["text"] != "Your verification code: 123-456" || got["transport"] != "sms" || got["client"] != "android" {
		t.Errorf("the gateway got %v", got)
	}
	for _, status = range []int{302, 400, 500} {
		if err := h.Send(context.Background(), d); err == nil || strings.Contains(err.Error(), "1415555") || strings.Contains(err.Error(), "123") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if h.Knows(Dev) || !h.Knows(Voice) {
		t.Error("a web hook is for sms and voice")
	}
}

// For developers a code that would go to a telephone is shown; one that the answer has shown is not shown twice.
func TestDeveloper(t *testing.T) {
	var shown []Delivery
	v := Developer{Show: func(d Delivery) { shown = append(shown, d) }}
	for _, transport := range []string{SMS, Voice, Dev} {
		if !v.Knows(transport) {
			t.Error("does not know", transport)
		}
		if err := v.Send(t.Context(), Delivery{Transport: transport, Number: "+14155550001", Code: "123456"}); err != nil {
			t.Error(err)
		}
	}
	if len(shown) != 2 || shown[0].Transport != SMS || shown[1].Transport != Voice || shown[1].Code != "123456" {
		t.Errorf("%+v", shown)
	}
	if v.Knows("pigeon") || (Developer{}).Knows(SMS) || !(Developer{}).Knows(Dev) {
		t.Error("knows what it should not, or does not what it should")
	}
}

func TestWebhookRefusals(t *testing.T) {
	for _, c := range []struct{ url, secret, want string }{
		{"http://gateway.example/send", "0123456789abcdef", `web hook "http://gateway.example/send": codes would cross the network in the clear; want https`},
		{"gateway.example", "0123456789abcdef", `web hook "gateway.example": want an https URL`},
		{"https://gateway.example", "short", "web hook secret: 5 bytes, want at least 16"},
	} {
		if _, err := NewWebhook(c.url, []byte(c.secret), http.DefaultTransport, clock); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
