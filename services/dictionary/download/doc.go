// Package download brings one file of a known SHA-256 onto this machine and opens
// it: from a cache directory where an earlier run left it, else from a URL.
//
// What is wanted is named by its digest, so it cannot matter where it comes from
// or in how many pieces: nothing is opened that does not have the digest.
//
//   - A transfer that breaks off leaves its bytes in the directory; the next one,
//     by this process or its successor, asks for the rest (Range, with If-Range
//     where the server gave a strong validator). A server that ignores that and
//     sends the whole file is understood.
//   - A URL whose path ends in .gz is unpacked; the digest is that of the content.
//   - Bytes received and bytes unpacked are bounded, and so is the server's
//     silence. Redirects are few and lead to http or https only.
//   - The finished file appears in the directory by rename, whole or not at all.
//     Processes may share the directory: one of them resumes, the others download
//     beside it, and all use the file that is there in the end.
//   - file:path (absolute, or relative to the working directory) is read in place;
//     unpacked and mapped without a copy when it is not compressed.
//
// One call of Fetch is one try. Whoever calls decides when to try again.
package download
