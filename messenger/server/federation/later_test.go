package federation

import (
	"net/http"
	"testing"
	"time"
)

// A receipt that the peer could not take is sent again; one that it refuses is not.
func TestReceiptLater(t *testing.T) {
	answers := make(chan int, 4)
	asked := make(chan string, 4)
	r, _ := liar(t, 0, func(w http.ResponseWriter, q *http.Request) {
		asked <- q.URL.Path
		w.WriteHeader(<-answers)
	})
	answers <- 503
	answers <- 204
	r.ReceiptLater(From{alice, 1}, carol, 5)
	for range 2 {
		if got := <-asked; got != "/v1/federation/receipt/"+alice+"/1/"+carol+"/5" {
			t.Error(got)
		}
	}
	answers <- 403
	r.ReceiptLater(From{alice, 1}, carol, 6)
	<-asked
	for end := time.Now().Add(patience); len(r.later) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it tries for ever")
		}
	}
	if len(asked) != 0 {
		t.Error("what the peer refused was sent again")
	}
}

// Receipts that wait for a peer are bounded, and end with the node.
func TestReceiptsThatWaitAreBounded(t *testing.T) {
	r, counters := liar(t, 0, func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(503) })
	for range maxLater + 50 {
		r.ReceiptLater(From{alice, 1}, carol, 5)
	}
	if n := len(r.later); n > maxLater {
		t.Errorf("%d wait, want at most %d", n, maxLater)
	}
	if counters.get("to peer evil: receipts waiting") == 0 {
		t.Error("none was refused")
	}
	r.close()
	for end := time.Now().Add(patience); len(r.later) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they outlive the node")
		}
	}
}
