#!/bin/sh
# Makes certificates for a trial: an authority, one certificate for serve, gateway, workers and Keycloak, and one by which Prometheus shows who it is.
# In operation take those of your own authority instead; the files and their places are the same.
#
#   deploy/tls/make-certificates.sh [NAME...]     # names by which browsers and senders reach this machine, such as board.example
#
# Run it again to renew the certificates: the authority stays, and running processes take the new ones up. Nothing here is committed.
set -eu

folder=${CONTACT_STREAMS_TLS_FOLDER:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder/authority" "$folder/server" "$folder/prometheus"
work=$(mktemp -d "$folder/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

key() {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

# sign NAME SUBJECT USAGE ALTERNATIVE-NAMES: a certificate for 90 days.
sign() {
    key "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=$2" -out "$work/$1.csr"
    printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$3" "$4" >"$work/$1.ext"
    openssl x509 -req -in "$work/$1.csr" -CA "$folder/authority/ca.crt" -CAkey "$folder/authority/ca.key" \
        -set_serial "0x$(openssl rand -hex 16)" -days 90 -sha256 -extfile "$work/$1.ext" -out "$work/$1.crt" 2>/dev/null
}

# place FILE TARGET: in one step. In containers other users read them; on this machine no other user enters the folder above them.
place() {
    chmod 0644 "$1"
    mv -f "$1" "$2"
}

if [ ! -f "$folder/authority/ca.crt" ]; then
    key "$folder/authority/ca.key"
    openssl req -x509 -new -key "$folder/authority/ca.key" -days 825 -sha256 -subj "/CN=Contact Streams trial authority" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$folder/authority/ca.crt"
fi
for each in server prometheus; do
    cp "$folder/authority/ca.crt" "$work/ca.crt"
    place "$work/ca.crt" "$folder/$each/ca.crt"
done

names="DNS:localhost,IP:127.0.0.1,DNS:serve,DNS:gateway,DNS:worker,DNS:board.localhost,DNS:keycloak.localhost"
for each in "$@"; do
    names="$names,DNS:$each"
done
sign server "Contact Streams" serverAuth "$names"
place "$work/server.key" "$folder/server/server.key"
place "$work/server.crt" "$folder/server/server.crt"
sign prometheus prometheus clientAuth DNS:prometheus
place "$work/prometheus.key" "$folder/prometheus/prometheus.key"
place "$work/prometheus.crt" "$folder/prometheus/prometheus.crt"
chmod 0755 "$folder/server" "$folder/prometheus"
echo "$folder/authority/ca.crt is the authority that browsers and senders are to trust."
