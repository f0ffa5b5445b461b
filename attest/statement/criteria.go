package statement

// Criterion is something a reviewer vouches for by stating its id in a Review. The texts are ours, like
// the built-in criteria of cargo-vet; a policy may ask for ids of its own.
type Criterion struct {
	ID   string // small letters, digits and hyphens
	Text string // the sentence the reviewer signs
}

// Criteria returns the criteria this project knows, sorted by id. Each sentence is about everything in
// the change list that the statement does not list as unread.
func Criteria() []Criterion {
	return []Criterion{
		{"crypto-checked", "Code that makes, keeps or checks keys, signatures, hashes, randomness or ciphertext is unchanged, or I compared its change with the specification it follows."},
		{"dependencies-read", "I read the source difference of every module that was added or changed, I know what the program needs it for, and I found nothing in it that harms a user."},
		{"generated-checked", "For every file listed as generated I ran the command that checks it, on this tree and on my machine, and got the same bytes."},
		{"no-new-powers", "The program gets no access to hosts, files, keys, devices, other programs or personal data that it did not have before and that the release notes do not tell."},
		{"notes-match", "The release notes tell every change that a user would want to know of, and nothing that the source does not do."},
		{"read-every-change", "I read every changed line myself, understood what it does, and found nothing that harms a user."},
	}
}

// ValidCriterion reports whether s can be the id of a criterion.
func ValidCriterion(s string) bool { return len(s) <= 64 && criterionID.MatchString(s) }
