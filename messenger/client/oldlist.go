package client

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/devicelist"
	"github.com/countersign-project/countersign/messenger/session"
)

// NoticeOldList is the kind of notice that says, in the person's own conversation, that a restored account goes on without its other devices.
const NoticeOldList = "device-list-missing"

// signedBefore returns the newest list of our devices, which the lost device signed: the others in it are still ours, and to contacts they would
// be strangers if we signed a list without them. A list older than the backup is not taken: a device was perhaps removed since, and the server wants it back in.
// Nil if there is none to take; without then says why, if the backup knows that there was one: it is for the person.
func signedBefore(ctx context.Context, server *remote.Server, who remote.Login, own session.Own) (list *devicelist.List, without string, err error) {
	answer, err := server.Bundles(ctx, who, own.Number, 0)
	gone := remote.Status(err) == 404
	if err != nil && !gone {
		return nil, "", fmt.Errorf("the list of the account's devices: %w", err)
	}
	if gone || answer.DeviceList == nil {
		if own.ListSerial == 0 {
			return nil, "", nil
		}
		return nil, withoutOthers("The server has lost the list of your devices, or withholds it."), nil
	}
	identity, err := own.Identity()
	if err != nil {
		return nil, "", err
	}
	found, err := devicelist.Open(identity.Public(), answer.DeviceList.List, answer.DeviceList.Signature)
	if err != nil {
		return nil, "", fmt.Errorf("the list of the account's devices: %w", err)
	}
	if found.Serial < own.ListSerial {
		return nil, withoutOthers(fmt.Sprintf("The server shows a list of your devices that is older than your backup, of %s. Perhaps it was put back to an earlier state itself; perhaps somebody wants back in a device that you have removed.",
			time.UnixMilli(int64(min(found.Made, 1<<52))).UTC().Format("2006-01-02 15:04 UTC"))), nil
	}
	return &found, "", nil
}

func withoutOthers(why string) string {
	return why + " So only this device counts as yours from now on, and nobody writes to the others: look at the list of your devices, and link those again that are yours."
}
