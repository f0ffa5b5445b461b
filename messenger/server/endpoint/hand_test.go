package endpoint

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/store"
)

func TestInHand(t *testing.T) {
	h := inHand{bytes: map[store.AccountKey]int64{}}
	large := httptest.NewRequest("PUT", "/", strings.NewReader(strings.Repeat("x", maxInHand/2)))
	unknown := httptest.NewRequest("PUT", "/", struct{ *strings.Reader }{strings.NewReader("x")})
	unknown.ContentLength = -1
	first, err := h.take(1, large, maxInHand)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.take(1, unknown, maxInHand/2+1); err == nil || !strings.HasPrefix(err.Error(), "429") {
		t.Errorf("above the bound: %v", err)
	}
	second, err := h.take(1, unknown, maxInHand/2)
	if err != nil {
		t.Error(err)
	}
	if _, err := h.take(1, httptest.NewRequest("PUT", "/", strings.NewReader("x")), 1); err == nil {
		t.Error("one byte above the bound")
	}
	if put, err := h.take(2, large, maxInHand); err != nil {
		t.Errorf("another account: %v", err)
	} else {
		put()
	}
	if put, err := h.take(1, httptest.NewRequest("GET", "/", nil), 1); err != nil {
		t.Errorf("nothing at all: %v", err)
	} else {
		put()
	}
	first()
	second()
	if len(h.bytes) != 0 {
		t.Errorf("left: %v", h.bytes)
	}
}
