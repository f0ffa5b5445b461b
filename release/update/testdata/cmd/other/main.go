// Command other is a program that is not the messenger.
package main

func main() {}
