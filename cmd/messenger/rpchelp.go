package main

// rpcHelp is the manual of what programs can ask; a test holds it against what there is.
const rpcHelp = `Let a program drive the account, by JSON-RPC 2.0 over standard input and output: one request a line, one answer a line.
Methods and parameters are signal-cli's wherever we have the same thing. Parameters are in an object; of those that take
several values, one may stand alone.

While a daemon runs, programs can also connect to its socket, rpc.sock in the account's directory, which speaks the
same; then this command passes everything on to it. Without an account the methods are those that make one: register,
link, restore.

Conversations. Most methods want one of recipient (a number, a name you gave, a username), groupId, and noteToSelf: true.

Notifications. "receive" {account, envelope} is what signal-cli tells: somebody's message, reaction or deletion
(dataMessage), edit (editMessage), that he has or has read messages of yours (receiptMessage) or is typing
(typingMessage), or what you have written on another device (syncMessage). To who says subscribeReceive without after
the same is also told as result, with subscription 0. "event" is whatever happens, in our own words, such as how far a
message of yours has come. What arrived while the program was away is told if it asks for it, with the seq of the last
envelope it has dealt with.
  subscribeReceive {after: seq, which is ours}, unsubscribeReceive     both notifications come until the latter
"progress" {id, what: encrypting, uploading, downloading or packing, done, total, resumed} comes to who has asked for it
alone, at most ten times a second: send, saveAttachment, getAttachment and sendHistory take progress, a name you make up,
and id is that name. Bytes, of packing messages; of them resumed were there from an earlier try. While files get on, send that asks for progress waits for them.
Who ends the connection gives up a download, which goes on from there the next time, and a file that is still being
encrypted; a message that is queued goes out all the same.

When the daemon becomes another version this command goes on with the new one, and the notifications after the last
message they told. What had no answer then is asked again if it is a message, which has a name and goes out once, or only
looks; anything else is answered with an error, and may have been done. A connection of a program's own to the socket
ends: connect again, and say subscribeReceive with after. status tells since, the seq of the newest message when the
notifications of a connection began.
As signal-cli has them:
  send {message, attachments (paths, or data:TYPE;filename=NAME;base64,DATA), quoteTimestamp, quoteAuthor,
        editTimestamp, endSession, uploads} → {timestamp, results}. A result's type is SUCCESS, QUEUED, IDENTITY_FAILURE,
        UNREGISTERED_FAILURE or FAILURE. Ours: noWait answers once it is queued; once is a name you made up for this
        message: who got no answer says the same again, and under one name it is sent once
  sendReaction {emoji, targetAuthor, targetTimestamp, remove}      remoteDelete {targetTimestamp}
  sendReceipt {recipient, targetTimestamp}                         sendTyping {stop}
  sendMessageRequestResponse {type: accept or block}               block, unblock {recipient, groupId}
  listContacts, updateContact {recipient, name, expiration}        getUserStatus {recipient, username}
  listGroups, quitGroup {groupId}                                  getAttachment {id} → {data}, up to 16 MiB
  updateGroup {groupId (none: a new group), name, members, removeMembers, admins, removeAdmins, expiration,
        avatar (a path, or data:TYPE;base64,DATA), removeAvatar}   getAvatar {groupId} → {data, type}
  listIdentities {number}, trust {recipient, verifiedSafetyNumber or trustAllKnownKeys}
  listDevices, removeDevice {deviceId}, addDevice {uri, history}   updateProfile {givenName, familyName}
  setUsername {username}, updateConfiguration {readReceipts, typingIndicators, defaultExpiration}
  version, listAccounts

What differs: people are numbers, UUIDs are null; an envelope has no times of the server; addDevice first shows six digits
in a notification "confirmDevice" {id, digits}, which confirmDevice {id, accept} answers; sendReaction and the like answer
{} when it is queued; a profile is a name; viewOnce, stickers, stories, mentions and calls are not there.

Ours:
  status has unlinked when the server does not know this device any more: what has happened, and what to do
  methods, status, flush, about, checkForUpdate, updateNow, updateSettings, returnToLastVersion, serverAbout, qrCode
  listConversations {after, limit}, listMessages {before or after, limit}, searchMessages {query, before, limit}, getMessage {seq}
  listMedia {before, limit} → {messages, next}: those with files; next is for before, and 0 at the end
  markRead {upTo}, retryMessage {seq}, deleteMessage {seq}: here only, mute {muted}
  setDraft {message} keeps what is not sent yet, on this device: listConversations has it as draft
  saveAttachment {id, directory} → {path}, discardUpload {id}, backup {path}, takeHistory {path, recoveryWords}
  requestCode {number, voice} has a code brought to a number, changeNumber {number, code} moves the account to it
  updateNetwork {server, ca (PEM; "": the system's), proxy ("": none), force} → {server, authorities, proxy, connected, why}:
        how the account's server is reached. What is given is changed once it was tried, and holds at once, without a restart;
        another server, which does not know the account, is refused. force changes it untried; nothing given only answers
  resolve {name}, getProfile, setRule {rule: notify, ask or verified-only}, allowDowngrade {allow}, endSession
  introduce {recipient: two verified contacts}: each is told the other's key. listContacts and listIdentities have introduced
        {number, name, when}, while somebody's word counts, and doubt, a number: he has named another key, and nothing is sent
  groupConsistency, askForMissing, confirmDevice
  sendHistory {deviceId}: all that is here goes to another device of yours, as with addDevice's history; it answers when
        the server has it. historySize → {messages, bytes}. On the other device "event" of type history, and
        takingOver of status, say how far it is (what: awaited, as long as it does not come yet)
  openPage, awaitPage: of the daemon, for 'messenger open'`
