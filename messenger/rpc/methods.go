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
		"getUserStatus":              call((*conn).getUserStatus),
		"getAttachment":              call((*conn).getAttachment),
		"getAvatar":                  call((*conn).getAvatar),
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
		"status":            call((*conn).status), // → Status
		"flush":             call((*conn).flush),
		"resolve":           call((*conn).resolve),
		"listConversations": call((*conn).listConversations), // {after, limit, or a target for one} → Conversation, the one with the newest message first
		"listMessages":      call((*conn).listMessages),      // {target, before or after, limit} → messages below, or above, that number, the oldest first
		"getMessage":        call((*conn).getMessage),        // {seq, or author and timestamp} → Full
		"searchMessages":    call((*conn).searchMessages),    // {query, before, limit, and a target to search in} → messages, the newest first
		"listMedia":         call((*conn).listMedia),         // {target, before, limit} → Media, the messages that carry files
		"mute":              call((*conn).mute),              // {target, muted}
		"setDraft":          call((*conn).setDraft),          // {target, message}
		"getProfile":        call((*conn).getProfile),        // → {number, name}
		"markRead":          call((*conn).markRead),          // {target, upTo}
		"retryMessage":      call((*conn).retryMessage),      // {seq}: one that failed
		"deleteMessage":     call((*conn).deleteMessage),     // {seq}: on this device only
		"saveAttachment":    call((*conn).saveAttachment),    // {id, directory} → {path}
		"discardUpload":     call((*conn).discardUpload),     // {id} of a file that was handed in and is not sent
		"sendHistory":       call((*conn).sendHistory),       // {deviceId}: what is here goes to another device of ours
		"historySize":       call((*conn).historySize),       // → HistorySize
		"confirmDevice":     call((*conn).confirmDevice),     // {id, accept}: answers the notification of the same name
		"setRule":           call((*conn).setRule),           // {target, rule: notify, ask or verified-only}
		"introduce":         call((*conn).introduce),         // {recipient: two}
		"allowDowngrade":    call((*conn).allowDowngrade),
		"endSession":        call((*conn).endSession),
		"requestCode":       call((*conn).codeFor),       // {number, voice}: for changeNumber
		"changeNumber":      call((*conn).changeNumber),  // {number, code} → {number}
		"updateNetwork":     call((*conn).updateNetwork), // {server, ca, proxy, force} → Network
		"groupConsistency":  call((*conn).groupConsistency),
		"askForMissing":     call((*conn).askForMissing),
		"backup":            call((*conn).backup),      // {path} → Backup
		"takeHistory":       call((*conn).takeHistory), // {path, recoveryWords} → {messages}
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

// subscribeReceive starts the notifications. After is ours: the seq of the last envelope that the caller has dealt with; all that came after it are told
// first, those that arrive meanwhile perhaps twice, and then the answer comes. Without it the caller may be one of signal-cli's, which look for what arrives
// in the answer to a subscription: there it is too.
func (c *conn) subscribeReceive(p struct {
	After *int64 `json:"after"`
}) (any, error) {
	c.subscribe()
	if p.After == nil {
		c.mu.Lock()
		c.wrapped = true
		c.mu.Unlock()
		return 0, nil
	}
	_, err := c.tellSince(*p.After)
	return 0, err
}

func (c *conn) unsubscribeReceive(nothing) (any, error) {
	c.unsubscribe()
	return nil, nil
}
