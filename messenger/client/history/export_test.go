package history

// IndexForm is what tests make an index under that does not read.
const IndexForm = indexForm
