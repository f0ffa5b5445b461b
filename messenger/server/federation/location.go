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
// signed for one of our users, so that strangers cannot make us ask peers for things, and no user takes up all downloads.

const locationLife = time.Hour

// Location returns path and query of an attachment on a peer, good for an hour on every node of a cluster. user is any name for who asks.
func (n *Node) Location(peer, id, user string) string {
	until := strconv.FormatInt(n.Now().Add(locationLife).Unix(), 10)
	q := url.Values{"until": {until}, "for": {user}, "key": {n.locationKey(peer, id, user, until)}}
	return "/v3/blobs/" + url.PathEscape(peer) + "/" + url.PathEscape(id) + "?" + q.Encode()
}

// CheckLocation tells whether Location made this one, and not too long ago; query's "for" is then the user.
func (n *Node) CheckLocation(peer, id string, query url.Values) bool {
	until, err := strconv.ParseInt(query.Get("until"), 10, 64)
	if n == nil || err != nil || n.Now().Unix() > until {
		return false
	}
	return hmac.Equal([]byte(query.Get("key")), []byte(n.locationKey(peer, id, query.Get("for"), query.Get("until"))))
}

func (n *Node) locationKey(peer, id, user, until string) string {
	h := hmac.New(sha256.New, n.Key.derive("locations of attachments"))
	fmt.Fprintf(h, "%q %q %q %q", peer, id, user, until)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
