#!/bin/sh
# Brings Apache Kafka for Java to this machine, for the tests that compare the embedded broker
# with it, and for BACKENDS=real: the versions are those of pom.xml. Prints the folder, which
# is KAFKA_JARS, or one in the user's cache. What is there already is not fetched again.
set -eu
here=$(dirname "$0")
version=$(sed -n 's|.*<artifactId>kafka_2.13</artifactId><version>\(.*\)</version>.*|\1|p' "$here/pom.xml")
jars=${KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/flotilla/kafka-$version}
if [ ! -d "$jars" ]; then
	# All of it or nothing: a folder that is there is complete.
	mkdir -p "$(dirname "$jars")"
	new=$(mktemp -d "$jars.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
		-DoutputDirectory="$new" -DincludeScope=runtime >&2
	chmod 755 "$new"
	mv "$new" "$jars"
	trap - EXIT
fi
echo "$jars"
