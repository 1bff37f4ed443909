#!/bin/sh
# Makes the root of a small site's image out of this machine's Debian packages: nginx, busybox and the libraries
# that they need. It serves /data/www with the certificate that SWITCHYARD_CERTIFICATE names.
#
#   site_root.sh FOLDER     makes FOLDER/root.tar
set -eu
folder=$1
root=$folder/root
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/run" "$root/data/www" "$root/var/lib/nginx" "$root/var/log/nginx"
nginx=$(command -v nginx || echo /usr/sbin/nginx)
cp "$(command -v busybox)" "$root/bin/busybox"
for tool in sh cat echo sleep date mkdir chown id touch ls kill; do ln -s busybox "$root/bin/$tool"; done
cp "$nginx" "$root/bin/nginx"
# Lines of ldd: `NAME => PATH (ADDRESS)` and `PATH (ADDRESS)`.
ldd "$nginx" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
echo 'root:x:0:0::/:/bin/sh
nobody:x:65534:65534::/:/bin/sh' > "$root/etc/passwd"
echo 'root:x:0:
nogroup:x:65534:' > "$root/etc/group"
chmod 1777 "$root/tmp"
echo 'from the image' > "$root/data/www/index.html"
cat > "$root/start.sh" <<'END'
#!/bin/sh
# CRASH: ends at once. DELAY: serves so many seconds later. WRITE: touches a file outside of the volumes.
[ -z "${CRASH:-}" ] || { echo "it crashes: $CRASH" >&2; exit 3; }
[ -z "${WRITE:-}" ] || { mkdir -p "${WRITE%/*}"; echo written > "$WRITE"; }
[ -z "${DELAY:-}" ] || sleep "$DELAY"
cat > /tmp/nginx.conf <<END_OF_CONFIGURATION
daemon off; master_process off; pid /tmp/nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    server {
        listen 443 ssl; listen 80;
        ssl_certificate ${SWITCHYARD_CERTIFICATE:-/tls/site.pem};
        ssl_certificate_key ${SWITCHYARD_CERTIFICATE:-/tls/site.pem};
        root /data/www;
    }
}
END_OF_CONFIGURATION
exec /bin/nginx -c /tmp/nginx.conf -e stderr
END
cat > "$root/snapshot.sh" <<'END'
#!/bin/sh
[ -z "${SNAPSHOT_FAILS:-}" ] || { echo "the database does not answer" >&2; exit 5; }
echo "$(cat /data/snapshots 2>/dev/null)x" > /data/snapshots
END
chmod 755 "$root/start.sh" "$root/snapshot.sh"
tar -cf "$folder/root.tar" -C "$root" .
