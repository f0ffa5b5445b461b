package rpc

import (
	"encoding/json"
	"maps"
	"slices"
)

// method answers one request.
type method func(*conn, json.RawMessage) (any, error)

// call makes a method of a function with typed parameters.
func call[P any](f func(*conn, P) (any, error)) method {
	return func(c *conn, raw json.RawMessage) (any, error) {
		p, err := decode[P](raw)
		if err != nil {
			return nil, err
		}
		return f(c, p)
	}
}

// methods is the table of all there is.
func methods() map[string]method {
	return map[string]method{
		// signal-cli's
		"version":                    call((*conn).version),
		"listAccounts":               call((*conn).listAccounts),
		"subscribeReceive":           call((*conn).subscribeReceive),
		"unsubscribeReceive":         call((*conn).unsubscribeReceive),
		"send":                       call((*conn).sendMessage),
		"sendReaction":               call((*conn).sendReaction),
		"remoteDelete":               call((*conn).remoteDelete),
		"sendTyping":                 call((*conn).sendTyping),
		"sendReceipt":                call((*conn).sendReceipt),
		"sendMessageRequestResponse": call((*conn).requestResponse),
		"listContacts":               call((*conn).listContacts),
		"updateContact":              call((*conn).updateContact),
		"block":                      call((*conn).block),
		"unblock":                    call((*conn).unblock),
		"listGroups":                 call((*conn).listGroups),
		"updateGroup":                call((*conn).updateGroup),
		"quitGroup":                  call((*conn).quitGroup),
		"listIdentities":             call((*conn).listIdentities),
		"trust":                      call((*conn).trust),
		"listDevices":                call((*conn).listDevices),
		"addDevice":                  call((*conn).addDevice),
		"removeDevice":               call((*conn).removeDevice),
		"updateProfile":              call((*conn).updateProfile),
		"updateConfiguration":        call((*conn).updateConfiguration),
		"setUsername":                call((*conn).setUsername),
		// ours
		"methods":           call((*conn).listMethods),
		"status":            call((*conn).status),
		"flush":             call((*conn).flush),
		"resolve":           call((*conn).resolve),
		"listConversations": call((*conn).listConversations),
		"listMessages":      call((*conn).listMessages),
		"getMessage":        call((*conn).getMessage),
		"searchMessages":    call((*conn).searchMessages),
		"mute":              call((*conn).mute),
		"getProfile":        call((*conn).getProfile),
		"markRead":          call((*conn).markRead),
		"retryMessage":      call((*conn).retryMessage),
		"deleteMessage":     call((*conn).deleteMessage),
		"saveAttachment":    call((*conn).saveAttachment),
		"discardUpload":     call((*conn).discardUpload),
		"confirmDevice":     call((*conn).confirmDevice),
		"setRule":           call((*conn).setRule),
		"allowDowngrade":    call((*conn).allowDowngrade),
		"endSession":        call((*conn).endSession),
		"groupConsistency":  call((*conn).groupConsistency),
		"askForMissing":     call((*conn).askForMissing),
		"backup":            call((*conn).backup),
		"takeHistory":       call((*conn).takeHistory),
	}
}

type nothing struct{}

func (c *conn) listMethods(nothing) (any, error) {
	table := methods()
	if c.Account == nil {
		table = doorMethods()
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(table)), maps.Keys(c.More))
	slices.Sort(names)
	return names, nil
}

func (c *conn) version(nothing) (any, error) {
	return map[string]string{"version": c.Version}, nil
}

func (c *conn) listAccounts(nothing) (any, error) {
	own, err := c.Account.Own(c.ctx)
	return []map[string]string{{"number": own.Number}}, err
}

func (c *conn) subscribeReceive(nothing) (any, error) {
	c.subscribe()
	return 0, nil
}

func (c *conn) unsubscribeReceive(nothing) (any, error) {
	c.unsubscribe()
	return nil, nil
}
