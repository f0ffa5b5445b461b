// Package pb is the generated protobuf code of the messenger's wire formats. Only messenger/wire imports it; everybody
// else sees wire's own types, which are parsed strictly and hold keys of the right length.
//
// To generate again after a change to a .proto file: go generate ./messenger/wire/pb. What is committed can be checked
// with generate.sh --check.
package pb

//go:generate ./generate.sh
