package rpc

// Envelope is what has arrived, in signal-cli's shape. Fields it always writes are always written; people have no UUIDs here, so that those are null.
type Envelope struct {
	Source       string          `json:"source"`
	SourceNumber string          `json:"sourceNumber"`
	SourceUUID   *string         `json:"sourceUuid"`
	SourceName   string          `json:"sourceName"`
	SourceDevice uint32          `json:"sourceDevice"`
	Timestamp    uint64          `json:"timestamp"`
	Seq          int64           `json:"seq,omitempty"` // ours: of a message, its number on this device
	Data         *DataMessage    `json:"dataMessage,omitempty"`
	Edit         *EditMessage    `json:"editMessage,omitempty"`
	Sync         *SyncMessage    `json:"syncMessage,omitempty"`
	Receipt      *ReceiptMessage `json:"receiptMessage,omitempty"`
	Typing       *Typing         `json:"typingMessage,omitempty"`
}

// DataMessage is what somebody wrote.
type DataMessage struct {
	Timestamp   uint64       `json:"timestamp"`
	Message     string       `json:"message"`
	Expires     uint32       `json:"expiresInSeconds"`
	ViewOnce    bool         `json:"viewOnce"`
	Group       *GroupInfo   `json:"groupInfo,omitempty"`
	Quote       *Quote       `json:"quote,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	Reaction    *Reaction    `json:"reaction,omitempty"`
	Delete      *Delete      `json:"remoteDelete,omitempty"`
}

// Reaction is what somebody thinks of a message.
type Reaction struct {
	Emoji           string `json:"emoji"`
	Author          string `json:"targetAuthor"`
	AuthorNumber    string `json:"targetAuthorNumber"`
	TargetTimestamp uint64 `json:"targetSentTimestamp"`
	Remove          bool   `json:"isRemove"`
}

// Delete says that the author takes a message back.
type Delete struct {
	Timestamp uint64 `json:"timestamp"`
}

// EditMessage is what the author has made of a message of his.
type EditMessage struct {
	TargetTimestamp uint64       `json:"targetSentTimestamp"`
	Data            *DataMessage `json:"dataMessage"`
}

// SyncMessage is what the person wrote or did on another device.
type SyncMessage struct {
	Sent struct {
		Destination       string       `json:"destination,omitempty"`
		DestinationNumber string       `json:"destinationNumber,omitempty"`
		Edit              *EditMessage `json:"editMessage,omitempty"`
		*DataMessage
	} `json:"sentMessage"`
}

// ReceiptMessage says that somebody has, or has read, messages of ours.
type ReceiptMessage struct {
	When       uint64   `json:"when"`
	IsDelivery bool     `json:"isDelivery"`
	IsRead     bool     `json:"isRead"`
	IsViewed   bool     `json:"isViewed"`
	Timestamps []uint64 `json:"timestamps"`
}

// GroupInfo names a group.
type GroupInfo struct {
	ID   string `json:"groupId"`
	Name string `json:"groupName"`
	Type string `json:"type"`
}

// Quote is the message that is answered.
type Quote struct {
	ID           uint64 `json:"id"`
	Author       string `json:"author"`
	AuthorNumber string `json:"authorNumber"`
	Text         string `json:"text"`
}

// Attachment is a file that was sent along; saveAttachment fetches it.
type Attachment struct {
	ContentType string `json:"contentType"`
	Filename    string `json:"filename,omitempty"`
	ID          string `json:"id"`
	Size        int64  `json:"size"`
	Caption     string `json:"caption,omitempty"`
}

// Typing says that somebody writes, or has stopped.
type Typing struct {
	Action    string `json:"action"`
	Timestamp uint64 `json:"timestamp"`
	GroupID   string `json:"groupId,omitempty"`
}
