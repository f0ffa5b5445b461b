package federation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Where a client fetches an attachment of a peer: from us, so that the peer does not see the client's address, and with a location that we have
// signed, so that strangers cannot make us ask peers for things.

const locationLife = time.Hour

// Location returns path and query of an attachment on a peer, good for an hour on every node of a cluster.
func (n *Node) Location(peer, id string) string {
	until := strconv.FormatInt(n.Now().Add(locationLife).Unix(), 10)
	return "/v3/blobs/" + url.PathEscape(peer) + "/" + url.PathEscape(id) + "?until=" + until + "&key=" + n.locationKey(peer, id, until)
}

// CheckLocation tells whether Location made this one, and not too long ago.
func (n *Node) CheckLocation(peer, id string, query url.Values) bool {
	until, err := strconv.ParseInt(query.Get("until"), 10, 64)
	if n == nil || err != nil || n.Now().Unix() > until {
		return false
	}
	return hmac.Equal([]byte(query.Get("key")), []byte(n.locationKey(peer, id, query.Get("until"))))
}

func (n *Node) locationKey(peer, id, until string) string {
	h := hmac.New(sha256.New, n.Key.derive("locations of attachments"))
	fmt.Fprintf(h, "%q %q %q", peer, id, until)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
