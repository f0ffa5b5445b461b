package federation

import (
	"context"
	"io"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// Local is what a peer may have of our own server. Errors are those that handlers return: refusals of package endpoint and errors of the store.
// peer is a name from our settings, and everything else the peer's word, of a form that was checked here.
type Local interface {
	// PeerKeys uses up one-time prekeys of one device, or with "*" of all active ones (6.3). Devices without signed prekey are in it, too.
	PeerKeys(ctx context.Context, peer, number, device string) (api.BundlesV3, error)
	// PeerMessage is steps 1 to 5 of 6.4 for a sender who lives on the peer. It returns when every device has the message or its queue has it.
	PeerMessage(ctx context.Context, peer string, from From, destination string, m api.Messages) error
	// PeerReceipt tells all devices of an account that a device on the peer has their message.
	PeerReceipt(ctx context.Context, peer string, from From, destination string, timestamp uint64) error
	// PeerAttachment opens a whole attachment. The caller closes it.
	PeerAttachment(ctx context.Context, id string) (io.ReadSeekCloser, int64, error)
	// PeerContacts returns those who are here (6.6).
	PeerContacts(ctx context.Context, peer string, tokens []string) ([]api.Contact, error)
	// PeerProfile, PeerDeviceList and PeerUsername look one account up (6.7).
	PeerProfile(ctx context.Context, peer, number string) (api.Profile, error)
	PeerDeviceList(ctx context.Context, peer, number string) (api.DeviceList, error)
	PeerUsername(ctx context.Context, peer, name string) (api.Username, error)
}
