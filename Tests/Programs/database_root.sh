#!/bin/sh
# Makes the root of a database's image out of this machine's Debian packages: MariaDB, busybox and the libraries that
# they need. It keeps to what the official images of MySQL and MariaDB promise: at its first start it makes the
# database and the user that its variables name, and loads what is in /docker-entrypoint-initdb.d, as its own user.
#
#   database_root.sh FOLDER     makes FOLDER/root.tar
set -eu
folder=$1
root=$folder/root
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/run/mysqld" "$root/var/lib/mysql" \
    "$root/docker-entrypoint-initdb.d"
chmod 1777 "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
for tool in sh cat chown sleep gunzip id kill su; do ln -s busybox "$root/bin/$tool"; done
for program in mariadbd mariadb mariadb-dump; do
    cp "$(command -v "$program" || echo "/usr/sbin/$program")" "$root/bin/$program"
done
# Lines of ldd: `NAME => PATH (ADDRESS)` and `PATH (ADDRESS)`.
ldd "$root"/bin/mariadb* | grep -oE '/[^ ]+\.so[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
# Since version 11 it is called otherwise.
share=/usr/share/mysql
[ -e $share/english ] || share=/usr/share/mariadb
mkdir -p "$root$share"
cp -r $share/english $share/charsets "$root$share/"
for name in system_tables performance_tables system_tables_data; do
    cat $share/m*_$name.sql
done > "$root/tables.sql"
echo 'root:x:0:0::/:/bin/sh
mysql:x:999:999::/:/bin/sh' > "$root/etc/passwd"
echo 'root:x:0:
mysql:x:999:' > "$root/etc/group"
cat > "$root/entrypoint.sh" <<'END_OF_SCRIPT'
#!/bin/sh
set -eu
data=/var/lib/mysql
if [ "$(id -u)" = 0 ]; then
    chown -R mysql:mysql "$data" /run/mysqld
    exec su -s /bin/sh mysql /entrypoint.sh
fi
server() {
    exec /bin/mariadbd --no-defaults --datadir="$data" --socket=/run/mysqld/mysqld.sock --skip-name-resolve \
        --innodb-use-native-aio=0 --innodb-buffer-pool-size=16M --innodb-log-file-size=8M "$@"
}
client() { /bin/mariadb --no-defaults --socket=/run/mysqld/mysqld.sock --user=root "$@"; }
if [ ! -d "$data/mysql" ]; then
    {
        # A statement a line. Root needs no password, and is let in from this container only.
        printf '%s;\n' 'CREATE DATABASE mysql' 'USE mysql' 'SET @auth_root_socket=NULL'
        cat /tables.sql
    } | (server --bootstrap --skip-networking --log-warnings=0)
    (server --skip-networking) &
    first=$!
    until client --execute 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$first"
        sleep 0.1
    done
    client --execute "CREATE DATABASE \`$MYSQL_DATABASE\`; CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
        GRANT ALL ON \`$MYSQL_DATABASE\`.* TO '$MYSQL_USER'@'%'"
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sql) client "$MYSQL_DATABASE" < "$file" ;;
            *.sql.gz) gunzip -c "$file" | client "$MYSQL_DATABASE" ;;
        esac
    done
    kill "$first"
    wait "$first"
fi
server
END_OF_SCRIPT
chmod 755 "$root/entrypoint.sh"
tar -cf "$folder/root.tar" -C "$root" .
