{{ staging('student_supervisor') }}
