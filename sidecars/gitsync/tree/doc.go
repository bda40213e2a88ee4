// Package tree writes the tree of a commit into an empty directory.
//
// Who may push to a repository may not write elsewhere, nor fill the disk. A tree
// is refused, whole and with the reason, when a name in it is no plain name or is
// that of git's own directory, when two entries share a name, when a symbolic link
// leads out of the tree, when it has a submodule, or when it is over a bound. All
// writing goes through an os.Root besides, and links are made after everything
// else, so that nothing is ever written through one.
package tree
