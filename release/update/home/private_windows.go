package home

// Private asks nothing on Windows: the user's local application data is private by its inherited
// access list, and modes say nothing there.
func (h Home) Private() error { return nil }
